/* SPDX-License-Identifier: Apache-2.0 */
/* Why apps ended: `dumpsys activity exit-info`, with Android's reason codes (ApplicationExitInfo). */
#include "activityd.h"

#include <string.h>
#include <time.h>

#define KEPT 256

struct ended {
	char package[PACKAGE_MAX];
	struct timespec at;
	int pid;
	int reason;
	const char *reason_name;
	int status;
	int adj;
	const char *description;
};

static struct ended ended[KEPT];
static size_t written;

void exits_add(const struct app *app, int reason, const char *reason_name, int status, const char *description)
{
	struct ended *entry = &ended[written++ % KEPT];

	*entry = (struct ended){ .pid = (int)app->pid, .reason = reason, .reason_name = reason_name,
				 .status = status, .adj = app->adj, .description = description };
	snprintf(entry->package, sizeof(entry->package), "%s", app->package);
	clock_gettime(CLOCK_REALTIME, &entry->at);
}

void exits_dump(FILE *out, const char *package)
{
	size_t begin = written > KEPT ? written - KEPT : 0;

	fputs("ACTIVITY MANAGER PROCESS EXIT INFO (dumpsys activity exit-info)\n", out);
	for (size_t i = written; i > begin; i--) {
		const struct ended *entry = &ended[(i - 1) % KEPT];
		struct tm parts;
		char stamp[32];

		if (package && strcmp(package, entry->package))
			continue;
		gmtime_r(&entry->at.tv_sec, &parts);
		strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &parts);
		fprintf(out,
			"  package: %s\n"
			"        ApplicationExitInfo #%zu:\n"
			"          timestamp=%s.%03ld pid=%d realUid=0 packageUid=0 definingUid=0 user=0\n"
			"          process=%s reason=%d (%s) status=%d\n"
			"          oomAdj=%d description=%s\n",
			entry->package, written - i, stamp, entry->at.tv_nsec / 1000000, entry->pid, entry->package,
			entry->reason, entry->reason_name, entry->status, entry->adj, entry->description);
	}
}
