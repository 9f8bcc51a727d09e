/* SPDX-License-Identifier: Apache-2.0 */
/* getprop and setprop. */
#include "framework.h"

#include "../common/props.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* suite.module_error may be longer than Android's limit, so readers are generous. */
#define VALUE_ROOM 1024

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int list_all(void)
{
	struct dirent **entries;
	char value[VALUE_ROOM];
	int count = scandir(PROP_DIR, &entries, visible, alphasort);

	for (int i = 0; i < count; i++) {
		prop_get(entries[i]->d_name, value, sizeof(value), "");
		printf("[%s]: [%s]\n", entries[i]->d_name, value);
		free(entries[i]);
	}
	return count < 0;
}

int getprop(int argc, char **argv)
{
	char value[VALUE_ROOM];

	if (argc < 2)
		return list_all();
	prop_get(argv[1], value, sizeof(value), argc > 2 ? argv[2] : "");
	puts(value);
	return 0;
}

int setprop(int argc, char **argv)
{
	char old[VALUE_ROOM];
	bool read_only;

	if (argc != 3) {
		fputs("usage: setprop NAME VALUE\n", stderr);
		return 1;
	}
	read_only = !strncmp(argv[1], "ro.", 3);
	prop_get(argv[1], old, sizeof(old), "");
	errno = 0;
	if ((read_only && old[0]) || (!read_only && strlen(argv[2]) >= PROP_VALUE_MAX) || !prop_set(argv[1], argv[2])) {
		fprintf(stderr, "Failed to set property '%s' to '%s'.\n", argv[1], argv[2]);
		return 1;
	}
	return 0;
}
