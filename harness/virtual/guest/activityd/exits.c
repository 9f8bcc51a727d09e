/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why apps ended: `dumpsys activity exit-info`, with the reason codes of ApplicationExitInfo.java and the
 * lines of its dump() since Android 13 (before, each key has a line of its own).
 */
#include "activityd.h"

#include <string.h>
#include <time.h>

#define KEPT 256

struct ended {
	char package[PACKAGE_MAX];
	struct timespec at;
	int pid;
	int reason;
	enum subreason subreason;
	int status;
	int adj;
	char description[sizeof(((struct app *)0)->kill_reason)];
};

static struct ended ended[KEPT];
static size_t written;

void exits_add(const struct app *app, int reason, int status, const char *description)
{
	struct ended *entry = &ended[written++ % KEPT];

	*entry = (struct ended){ .pid = (int)app->pid, .reason = reason, .subreason = app->kill_subreason,
				 .status = status, .adj = app->adj };
	snprintf(entry->package, sizeof(entry->package), "%s", app->package);
	snprintf(entry->description, sizeof(entry->description), "%s", description);
	clock_gettime(CLOCK_REALTIME, &entry->at);
}

static const char *name_of_reason(int reason)
{
	switch (reason) {
	case 1:
		return "EXIT_SELF";
	case 2:
		return "SIGNALED";
	case 3:
		return "LOW_MEMORY";
	case 10:
		return "USER REQUESTED";
	default:
		return "UNKNOWN";
	}
}

static const char *name_of_subreason(enum subreason subreason)
{
	switch (subreason) {
	case SUBREASON_FORCE_STOP:
		return "FORCE STOP";
	case SUBREASON_KILL_BACKGROUND:
		return "KILL BACKGROUND";
	default:
		return "UNKNOWN";
	}
}

/* ActivityManager.java, RunningAppProcessInfo: foreground, or cached. */
static int importance_of(const struct ended *entry)
{
	return entry->adj == ADJ_FOREGROUND ? 100 : 400;
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
			"    Historical Process Exit for uid=0\n"
			"        ApplicationExitInfo #%zu:\n"
			"          timestamp=%s.%03ld pid=%d realUid=0 packageUid=0 definingUid=0 user=0\n"
			"          process=%s reason=%d (%s) subreason=%d (%s) status=%d\n"
			"          importance=%d pss=0.00 rss=0.00 description=%s state=empty trace=null\n",
			entry->package, written - i, stamp, entry->at.tv_nsec / 1000000, entry->pid, entry->package,
			entry->reason, name_of_reason(entry->reason), (int)entry->subreason,
			name_of_subreason(entry->subreason), entry->status, importance_of(entry), entry->description);
	}
}
