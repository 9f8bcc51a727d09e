/* SPDX-License-Identifier: Apache-2.0 */
/* System properties, one file each below /dev/__properties. */
#ifndef GUEST_PROPS_H
#define GUEST_PROPS_H

#include <stdbool.h>
#include <stddef.h>

#define PROP_DIR "/dev/__properties"
#define PROP_NAME_MAX 128
/* Android's limit for a value that is not ro.*, with its NUL. */
#define PROP_VALUE_MAX 92

bool prop_name_is_valid(const char *name);

/* Value of `name`, or `fallback` if it is not set. */
void prop_get(const char *name, char *value, size_t size, const char *fallback);

/* Written aside and renamed, so that a reader sees the old value or the new one. */
bool prop_set(const char *name, const char *value);

#endif
