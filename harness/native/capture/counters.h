/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a sample, one function for each source. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdbool.h>

#include "text.h"

/* One line of output in the making, and the names of sources that this kernel does not have. */
struct sample {
	struct text out;
	struct text missing;
};

/* Each adds `"name":{...},` or `"name":null,`; the latter also to `missing`. */
void add_vmstat(struct sample *sample);
void add_meminfo(struct sample *sample);
void add_pressure(struct sample *sample);
void add_zram(struct sample *sample);
void add_stat(struct sample *sample);
void add_files(struct sample *sample);

/* A file whose number is to be part of each sample; false when there are too many. */
bool watch_file(const char *path);

void add_missing(struct sample *sample, const char *source);
void add_null(struct sample *sample, const char *key);

/* Digits at `text` copied as they stand, and where they end; NULL if there are none. */
const char *add_digits(struct text *out, const char *text);

/* "key":[1,2,...] from numbers between blanks; null for no text. */
void add_numbers(struct text *out, const char *key, const char *text);

#endif
