/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel threads by name: their CPU time and scheduling, sample by sample. */
#ifndef THREADS_H
#define THREADS_H

#include <stdbool.h>

#include "text.h"

/* An extended regular expression for names; false if it is none, or one too many. */
bool watch_threads(const char *pattern);

/* Adds `"threads":[...],`: every process whose comm matches, found anew as processes come and go. */
void add_threads(struct text *out);

#endif
