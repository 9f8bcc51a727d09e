/* SPDX-License-Identifier: Apache-2.0 */
#include "props.h"

#include "io.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool prop_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= PROP_NAME_MAX || name[0] == '.' || name[length - 1] == '.')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (name[i] == '.' && name[i + 1] == '.')
			return false;
		if (!isalnum((unsigned char)name[i]) && !strchr("._-@:", name[i]))
			return false;
	}
	return true;
}

static void path_of(const char *name, char *path, size_t size)
{
	snprintf(path, size, PROP_DIR "/%s", name);
}

void prop_get(const char *name, char *value, size_t size, const char *fallback)
{
	char path[sizeof(PROP_DIR) + PROP_NAME_MAX + 1];

	path_of(name, path, sizeof(path));
	if (!prop_name_is_valid(name) || read_file(path, value, size) < 0)
		snprintf(value, size, "%s", fallback);
}

bool prop_set(const char *name, const char *value)
{
	char path[sizeof(PROP_DIR) + PROP_NAME_MAX + 1];
	char aside[sizeof(PROP_DIR) + 32];

	if (!prop_name_is_valid(name))
		return false;
	path_of(name, path, sizeof(path));
	/* A leading dot is no valid property name, so listings skip it. */
	snprintf(aside, sizeof(aside), PROP_DIR "/.%d", (int)getpid());
	return write_file(aside, value) && rename(aside, path) == 0;
}
