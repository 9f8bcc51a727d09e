/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_reserve(struct text *text, size_t size)
{
	if (text->room - text->length >= size)
		return;
	text->room = text->room * 2 + size;
	text->data = realloc(text->data, text->room);
	if (!text->data) {
		fputs("poller: out of memory\n", stderr);
		exit(1);
	}
}

void text_add_bytes(struct text *text, const char *bytes, size_t size)
{
	if (!size)
		return;
	text_reserve(text, size);
	memcpy(text->data + text->length, bytes, size);
	text->length += size;
}

void text_add(struct text *text, const char *string)
{
	text_add_bytes(text, string, strlen(string));
}

void text_add_number(struct text *text, uint64_t number)
{
	char digits[20];
	size_t first = sizeof(digits);

	do {
		digits[--first] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	text_add_bytes(text, digits + first, sizeof(digits) - first);
}

void text_add_string(struct text *text, const char *string)
{
	text_add(text, "\"");
	for (; *string; string++) {
		unsigned char byte = (unsigned char)*string;
		char escaped[8] = { (char)byte };

		if (byte == '"' || byte == '\\')
			snprintf(escaped, sizeof(escaped), "\\%c", byte);
		else if (byte < 0x20 || byte >= 0x7f)
			snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
		text_add(text, escaped);
	}
	text_add(text, "\"");
}
