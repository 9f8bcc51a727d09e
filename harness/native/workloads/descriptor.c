/* SPDX-License-Identifier: Apache-2.0 */
#include "descriptor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_share(const char *value, double *share)
{
	char *end;

	*share = strtod(value, &end);
	return end == value || *end || !(*share >= 0 && *share <= 1) ? -1 : 0;
}

static int read_count(const char *value, uint64_t *count)
{
	char *end;

	errno = 0;
	*count = strtoull(value, &end, 10);
	return end == value || *end || errno || *value == '-' ? -1 : 0;
}

static const char *take(struct descriptor *app, const char *key, const char *value)
{
	uint64_t kb, pages;

	if (!strcmp(key, "anon_kb")) {
		if (read_count(value, &kb) || kb * 1024 < content_page_bytes())
			return "not a size in KiB";
		app->pages = kb * 1024 / content_page_bytes();
		return NULL;
	}
	if (!strcmp(key, "hot_share"))
		return read_share(value, &app->hot_share) ? "not a share" : NULL;
	if (!strcmp(key, "cold_share"))
		return read_share(value, &app->cold_share) ? "not a share" : NULL;
	if (!strcmp(key, "rewrite_share"))
		return read_share(value, &app->rewrite_share) ? "not a share" : NULL;
	if (!strcmp(key, "content"))
		return content_parse(value, &app->mix);
	if (!strcmp(key, "seed"))
		return read_count(value, &app->seed) ? "not a number" : NULL;
	if (!strcmp(key, "pace_pages")) {
		if (read_count(value, &pages))
			return "not a number";
		app->pace_pages = content_pages(pages);
		return NULL;
	}
	if (!strcmp(key, "pace_ms"))
		return read_count(value, &app->pace_ms) ? "not a number" : NULL;
	return "unknown key";
}

int descriptor_read(const char *path, struct descriptor *app, char *why, size_t room)
{
	char line[512];
	int number = 0;
	FILE *file = fopen(path, "re");

	if (!file) {
		snprintf(why, room, "%s: %s", path, strerror(errno));
		return -1;
	}
	memset(app, 0, sizeof(*app));
	while (fgets(line, sizeof(line), file)) {
		number++;
		line[strcspn(line, "\n")] = 0;
		if (!line[0] || line[0] == '#')
			continue;
		char *equals = strchr(line, '=');
		const char *fault = "no '='";

		if (equals) {
			*equals = 0;
			fault = take(app, line, equals + 1);
		}
		if (fault) {
			snprintf(why, room, "%s:%d: %s: %s", path, number, line, fault);
			fclose(file);
			return -1;
		}
	}
	fclose(file);
	if (!app->pages || !app->mix.parts) {
		snprintf(why, room, "%s: anon_kb and content are needed", path);
		return -1;
	}
	return 0;
}
