/* SPDX-License-Identifier: Apache-2.0 */
/* settings get|put|delete|list NAMESPACE [KEY [VALUE]]: one file for each setting. */
#include "framework.h"

#include "../common/io.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT "/data/system/settings"

static bool known_namespace(const char *name)
{
	return !strcmp(name, "system") || !strcmp(name, "secure") || !strcmp(name, "global");
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int list(const char *namespace)
{
	struct dirent **entries;
	char path[512], value[4096];
	int count;

	snprintf(path, sizeof(path), ROOT "/%s", namespace);
	count = scandir(path, &entries, visible, alphasort);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), ROOT "/%s/%s", namespace, entries[i]->d_name);
		if (read_file(path, value, sizeof(value)) >= 0)
			printf("%s=%s\n", entries[i]->d_name, value);
		free(entries[i]);
	}
	return 0;
}

int settings(int argc, char **argv)
{
	const char *verb, *namespace, *key;
	char path[512], value[4096];

	/* "--user N" changes nothing on a device with one user. */
	if (argc > 2 && !strcmp(argv[1], "--user")) {
		argc -= 2;
		argv += 2;
	}
	verb = argc > 1 ? argv[1] : "";
	namespace = argc > 2 ? argv[2] : "";
	key = argc > 3 ? argv[3] : "";
	if (!known_namespace(namespace) || key[0] == '.' || strchr(key, '/') || strlen(key) > 128) {
		fprintf(stderr, "Invalid namespace or key: %s %s\n", namespace, key);
		return 255;
	}
	snprintf(path, sizeof(path), ROOT "/%s", namespace);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), ROOT "/%s/%s", namespace, key);
	if (!strcmp(verb, "list"))
		return list(namespace);
	if (!strcmp(verb, "get") && key[0]) {
		puts(read_file(path, value, sizeof(value)) >= 0 ? value : "null");
		return 0;
	}
	if (!strcmp(verb, "delete") && key[0]) {
		printf("Deleted %d rows\n", unlink(path) == 0);
		return 0;
	}
	if (!strcmp(verb, "put") && key[0] && argc > 4 && write_file(path, argv[4]))
		return 0;
	fputs("Invalid command: settings get|put|delete|list NAMESPACE [KEY [VALUE]]\n", stderr);
	return 255;
}
