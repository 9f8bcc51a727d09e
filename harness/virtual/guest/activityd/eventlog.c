/* SPDX-License-Identifier: Apache-2.0 */
/* What logcat shows: the last lines of the buffers "events" and "system". */
#include "activityd.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES 2048

struct entry {
	struct timespec at;
	char buffer[8];
	char tag[24];
	char text[232];
};

static struct entry ring[ENTRIES];
static size_t written;
static size_t cleared;

void log_event(const char *buffer, const char *tag, const char *format, ...)
{
	struct entry *entry = &ring[written++ % ENTRIES];
	va_list arguments;

	clock_gettime(CLOCK_REALTIME, &entry->at);
	snprintf(entry->buffer, sizeof(entry->buffer), "%s", buffer);
	snprintf(entry->tag, sizeof(entry->tag), "%s", tag);
	va_start(arguments, format);
	vsnprintf(entry->text, sizeof(entry->text), format, arguments);
	va_end(arguments);
}

struct query {
	bool dump;
	bool clear;
	bool brief;
	bool epoch;
	size_t last;
	char buffers[64];
	char *filters[16];
	size_t filter_count;
	bool silent; /* -s or *:S: only what a filter names */
};

static const char *parse(struct query *query, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *word = argv[i];
		char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(word, "-d")) {
			query->dump = true;
		} else if (!strcmp(word, "-c")) {
			query->clear = true;
		} else if (!strcmp(word, "-s")) {
			query->silent = true;
		} else if (!strcmp(word, "*:S")) {
			query->silent = true;
		} else if ((!strcmp(word, "-t") || !strcmp(word, "-T")) && value) {
			query->dump = query->dump || word[1] == 't';
			query->last = strtoul(value, NULL, 10);
			i++;
		} else if (!strcmp(word, "-b") && value) {
			snprintf(query->buffers, sizeof(query->buffers), "%s", value);
			i++;
		} else if (!strcmp(word, "-v") && value) {
			query->brief = query->brief || !strcmp(value, "brief");
			query->epoch = query->epoch || !strcmp(value, "epoch");
			i++;
		} else if (word[0] == '-') {
			return word;
		} else if (query->filter_count < 16) {
			query->filters[query->filter_count++] = word;
		}
	}
	return NULL;
}

static bool wanted(const struct query *query, const struct entry *entry)
{
	if (query->buffers[0] && !strstr(query->buffers, "all") && !strstr(query->buffers, entry->buffer))
		return false;
	for (size_t i = 0; i < query->filter_count; i++) {
		size_t length = strcspn(query->filters[i], ":");

		if (strlen(entry->tag) == length && !strncmp(entry->tag, query->filters[i], length))
			return strcmp(query->filters[i] + length, ":S") != 0;
	}
	return !query->silent;
}

static void print(FILE *out, const struct query *query, const struct entry *entry)
{
	char stamp[32];
	struct tm parts;
	int pid = (int)getpid();

	if (query->brief) {
		fprintf(out, "I/%s(%5d): %s\n", entry->tag, pid, entry->text);
		return;
	}
	gmtime_r(&entry->at.tv_sec, &parts);
	if (query->epoch)
		snprintf(stamp, sizeof(stamp), "%10lld", (long long)entry->at.tv_sec);
	else
		strftime(stamp, sizeof(stamp), "%m-%d %H:%M:%S", &parts);
	fprintf(out, "%s.%03ld %5d %5d I %s: %s\n", stamp, entry->at.tv_nsec / 1000000, pid, pid, entry->tag, entry->text);
}

int logcat(struct client *client, int argc, char **argv)
{
	struct query query = { 0 };
	const char *unknown = parse(&query, argc, argv);
	size_t begin = written > ENTRIES ? written - ENTRIES : 0;
	size_t matching = 0, skip = 0;

	if (unknown) {
		fprintf(client->err, "logcat: option %s is not known here\n", unknown);
		return 1;
	}
	if (query.clear) {
		cleared = written;
		return 0;
	}
	if (!query.dump) {
		fputs("logcat: only -d (dump and exit), -t and -c are served here\n", client->err);
		return 1;
	}
	if (begin < cleared)
		begin = cleared;
	for (size_t i = begin; i < written; i++)
		matching += wanted(&query, &ring[i % ENTRIES]);
	if (query.last && matching > query.last)
		skip = matching - query.last;
	for (size_t i = begin; i < written; i++)
		if (wanted(&query, &ring[i % ENTRIES]) && skip-- == 0) {
			print(client->out, &query, &ring[i % ENTRIES]);
			skip = 0;
		}
	return 0;
}
