/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of dumpsys that a measurement asks for. */
#include "activityd.h"

#include "../common/io.h"

#include <stdlib.h>
#include <string.h>

static const char *class_of(const struct app *app, char *text, size_t size)
{
	if (app->adj == ADJ_FOREGROUND)
		return "fg";
	if (app->adj == ADJ_PREVIOUS)
		return "prev";
	if (app->adj == ADJ_CACHED_MIN)
		return "cch";
	snprintf(text, size, "cch+%d", app->adj - ADJ_CACHED_MIN);
	return text;
}

static const char *state_of(const struct app *app)
{
	if (app->adj == ADJ_FOREGROUND)
		return "TOP";
	if (app->adj == ADJ_PREVIOUS)
		return "LAST";
	return app->has_activity ? "CAC" : "CEM";
}

/* "Key: 123 kB" of a proc file, in kB; -1 if it is not there. */
static long long kb_of(const char *path, const char *key)
{
	static char text[65536];
	char *at;

	if (read_file(path, text, sizeof(text)) <= 0)
		return -1;
	at = strstr(text, key);
	return at ? atoll(at + strlen(key)) : -1;
}

static long long app_kb(const struct app *app, const char *key)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)app->pid);
	return kb_of(path, key);
}

static void dump_oom(FILE *out)
{
	struct app *sorted[MAX_APPS];
	size_t count = apps_by_use(sorted);
	char name[16];

	fputs("ACTIVITY MANAGER OOM (dumpsys activity oom)\n", out);
	fprintf(out, "  Process OOM control (%zu total):\n", count);
	for (size_t i = 0; i < count; i++) {
		const struct app *app = sorted[i];

		fprintf(out,
			"    Proc #%2zu: %-7s %-4s t: 0 %d:%s/0\n"
			"        oom: max=1001 curRaw=%d setRaw=%d cur=%d set=%d\n"
			"        state: cur=%s set=%s\n",
			count - 1 - i, class_of(app, name, sizeof(name)), state_of(app), (int)app->pid, app->package,
			app->adj, app->adj, app->adj, app->adj, state_of(app), state_of(app));
	}
}

static void dump_processes(FILE *out)
{
	struct app *sorted[MAX_APPS];
	size_t count = apps_by_use(sorted);

	fputs("ACTIVITY MANAGER RUNNING PROCESSES (dumpsys activity processes)\n  All known processes:\n", out);
	for (size_t i = 0; i < count; i++) {
		const struct app *app = sorted[i];

		fprintf(out,
			"  *APP* UID 0 ProcessRecord{%x %d:%s/0}\n"
			"    pid=%d\n"
			"    oom adj: max=1001 curRaw=%d setRaw=%d cur=%d set=%d\n"
			"    hasActivities=%s launching=%s\n",
			(unsigned int)(app - apps), (int)app->pid, app->package, (int)app->pid, app->adj, app->adj, app->adj,
			app->adj, app->has_activity ? "true" : "false", app->launching ? "true" : "false");
	}
}

static void dump_activities(FILE *out)
{
	struct app *front = app_in_front();

	fputs("ACTIVITY MANAGER ACTIVITIES (dumpsys activity activities)\n", out);
	if (front)
		fprintf(out, "  topResumedActivity=ActivityRecord{%x u0 %s/.Main t1}\n", (unsigned int)(front - apps),
			front->package);
	else
		fputs("  topResumedActivity=null\n", out);
}

static int dump_activity(struct client *client, int argc, char **argv)
{
	const char *part = argc > 2 ? argv[2] : "";

	if (!strcmp(part, "oom") || !strcmp(part, "o")) {
		dump_oom(client->out);
	} else if (!strcmp(part, "processes") || !strcmp(part, "p")) {
		dump_processes(client->out);
	} else if (!strcmp(part, "activities") || !strcmp(part, "a")) {
		dump_activities(client->out);
	} else if (!strcmp(part, "exit-info")) {
		exits_dump(client->out, argc > 3 ? argv[3] : NULL);
	} else if (!part[0]) {
		dump_activities(client->out);
		dump_processes(client->out);
		dump_oom(client->out);
	} else {
		fprintf(client->err, "Bad activity command, or no activities match: %s\n", part);
		return 255;
	}
	return 0;
}

static int dump_meminfo(struct client *client, int argc, char **argv)
{
	struct app *sorted[MAX_APPS];
	size_t count = apps_by_use(sorted);
	const struct app *app = argc > 2 ? app_find(argv[2]) : NULL;

	if (argc > 2 && (!app || !app->pid)) {
		fprintf(client->out, "No process found for: %s\n", argv[2]);
		return 0;
	}
	if (app) {
		fprintf(client->out,
			"** MEMINFO in pid %d [%s] **\n"
			"           TOTAL PSS: %8lld            TOTAL RSS: %8lld       TOTAL SWAP PSS: %8lld\n",
			(int)app->pid, app->package, app_kb(app, "\nPss:"), app_kb(app, "\nRss:"), app_kb(app, "\nSwapPss:"));
		return 0;
	}
	fputs("Total PSS by process:\n", client->out);
	for (size_t i = 0; i < count; i++)
		fprintf(client->out, "    %8lldK: %s (pid %d / activities)\n", app_kb(sorted[i], "\nPss:"),
			sorted[i]->package, (int)sorted[i]->pid);
	fprintf(client->out, "\nTotal RAM: %lldK\n Free RAM: %lldK\n", kb_of("/proc/meminfo", "MemTotal:"),
		kb_of("/proc/meminfo", "MemAvailable:"));
	return 0;
}

/* There is no battery, no sensor and no cooling device here, and that is what is said. */
static int dump_battery(struct client *client)
{
	fputs("Current Battery Service state:\n"
	      "  AC powered: true\n"
	      "  USB powered: false\n"
	      "  Wireless powered: false\n"
	      "  status: 1\n"
	      "  health: 1\n"
	      "  present: false\n"
	      "  level: 100\n"
	      "  scale: 100\n"
	      "  voltage: 0\n"
	      "  temperature: 0\n"
	      "  technology: \n",
	      client->out);
	return 0;
}

static int dump_thermal(struct client *client)
{
	fputs("IsStatusOverride: false\n"
	      "Thermal Status: 0\n"
	      "Cached temperatures:\n"
	      "HAL Ready: false\n",
	      client->out);
	return 0;
}

int dumpsys(struct client *client, int argc, char **argv)
{
	const char *service = argc > 1 ? argv[1] : "";

	if (!strcmp(service, "-l")) {
		fputs("Currently running services:\n  activity\n  battery\n  meminfo\n  thermalservice\n", client->out);
		return 0;
	}
	if (!strcmp(service, "activity"))
		return dump_activity(client, argc, argv);
	if (!strcmp(service, "meminfo"))
		return dump_meminfo(client, argc, argv);
	if (!strcmp(service, "battery"))
		return dump_battery(client);
	if (!strcmp(service, "thermalservice"))
		return dump_thermal(client);
	fprintf(client->err, "Can't find service: %s\n", service);
	return 0;
}
