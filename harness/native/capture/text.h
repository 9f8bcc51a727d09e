/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, for writing JSON without a formatter: a sample must cost little. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
	char *data;
	size_t length;
	size_t room;
};

/* Room for at least `size` more bytes; ends the program when there is no memory. */
void text_reserve(struct text *text, size_t size);

void text_add_bytes(struct text *text, const char *bytes, size_t size);
void text_add(struct text *text, const char *string);
void text_add_number(struct text *text, uint64_t number);

/* A JSON string, quotes included. Bytes that are not ASCII are escaped one by one. */
void text_add_string(struct text *text, const char *string);

#endif
