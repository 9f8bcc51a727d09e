/* SPDX-License-Identifier: Apache-2.0 */
#include "activityd.h"

#include "../common/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct app apps[MAX_APPS];
static struct app *front;
static uint64_t use_count;
static long long oom_kills_seen;

bool package_is_installed(const char *package)
{
	char path[sizeof(APP_DIR) + PACKAGE_MAX + 16];

	if (!package[0] || strchr(package, '/') || package[0] == '.')
		return false;
	snprintf(path, sizeof(path), APP_DIR "/%s/app.ini", package);
	return access(path, R_OK) == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

size_t installed_packages(char names[][PACKAGE_MAX], size_t room)
{
	DIR *folder = opendir(APP_DIR);
	size_t count = 0;

	for (struct dirent *entry; folder && count < room && (entry = readdir(folder));)
		if (strlen(entry->d_name) < PACKAGE_MAX && package_is_installed(entry->d_name))
			strcpy(names[count++], entry->d_name);
	if (folder)
		closedir(folder);
	qsort(names, count, PACKAGE_MAX, by_name);
	return count;
}

struct app *app_find(const char *package)
{
	for (size_t i = 0; i < MAX_APPS; i++)
		if (!strcmp(apps[i].package, package))
			return package[0] ? &apps[i] : NULL;
	return NULL;
}

struct app *app_get(const char *package)
{
	struct app *app = app_find(package);

	for (size_t i = 0; !app && i < MAX_APPS; i++)
		/* A slot whose app is neither running nor installed any more serves again. */
		if (!apps[i].pid && (!apps[i].package[0] || !package_is_installed(apps[i].package))) {
			app = &apps[i];
			memset(app, 0, sizeof(*app));
			app->to_app = app->from_app = -1;
			snprintf(app->package, sizeof(app->package), "%s", package);
		}
	return app;
}

struct app *app_in_front(void)
{
	return front;
}

static int by_last_use(const void *a, const void *b)
{
	const struct app *left = *(struct app *const *)a, *right = *(struct app *const *)b;

	return left->last_used < right->last_used ? 1 : left->last_used > right->last_used ? -1 : 0;
}

size_t apps_by_use(struct app **sorted)
{
	size_t count = 0;

	for (size_t i = 0; i < MAX_APPS; i++)
		if (apps[i].pid)
			sorted[count++] = &apps[i];
	qsort(sorted, count, sizeof(*sorted), by_last_use);
	return count;
}

static void set_adj(struct app *app, int adj)
{
	char path[64], text[16];

	if (app->adj == adj)
		return;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)app->pid);
	snprintf(text, sizeof(text), "%d", adj);
	if (write_file(path, text))
		app->adj = adj;
}

void apps_update_adj(void)
{
	struct app *sorted[MAX_APPS];
	size_t count = apps_by_use(sorted);
	int cached = ADJ_CACHED_MIN;
	bool previous_given = false;

	for (size_t i = 0; i < count; i++) {
		struct app *app = sorted[i];

		if (app == front) {
			set_adj(app, ADJ_FOREGROUND);
		} else if (!previous_given && app->has_activity) {
			previous_given = true;
			set_adj(app, ADJ_PREVIOUS);
		} else {
			set_adj(app, cached);
			cached = cached + ADJ_CACHED_STEP < ADJ_CACHED_MAX ? cached + ADJ_CACHED_STEP : ADJ_CACHED_MAX;
		}
	}
}

static void become_app(const struct app *app, int in, int out)
{
	char ini[sizeof(APP_DIR) + PACKAGE_MAX + 16], log[sizeof(APP_DIR) + PACKAGE_MAX + 16];
	sigset_t none;

	snprintf(ini, sizeof(ini), APP_DIR "/%s/app.ini", app->package);
	snprintf(log, sizeof(log), APP_DIR "/%s/app.log", app->package);
	dup2(in, 0);
	dup2(out, 1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	write_file("/proc/self/oom_score_adj", "0");
	/* The package is argument 0 as well: that is how a phone's process list names an app. */
	execl("/system/bin/app", app->package, app->package, ini, log, (char *)NULL);
	_exit(127);
}

bool app_spawn(struct app *app)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) < 0)
		return false;
	if (pipe2(from, O_CLOEXEC) < 0) {
		close(to[0]);
		close(to[1]);
		return false;
	}
	app->pid = fork();
	if (app->pid == 0)
		become_app(app, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	if (app->pid < 0) {
		app->pid = 0;
		close(to[1]);
		close(from[0]);
		return false;
	}
	set_nonblocking(to[1], true);
	set_nonblocking(from[0], true);
	app->to_app = to[1];
	app->from_app = from[0];
	app->line_have = 0;
	app->uses_left = 1;
	app->adj = ADJ_FOREGROUND;
	app->kill_reason[0] = '\0';
	app->kill_subreason = SUBREASON_UNKNOWN;
	log_event("events", "am_proc_start", "[0,%d,0,%s,pre-top-activity,{%s/%s.Main}]", (int)app->pid, app->package,
		  app->package, app->package);
	log_event("events", "am_proc_bound", "[0,%d,%s]", (int)app->pid, app->package);
	return true;
}

void app_tell(struct app *app, const char *order)
{
	char line[32];
	int size = snprintf(line, sizeof(line), "%s\n", order);

	if (app->to_app >= 0 && write(app->to_app, line, (size_t)size) != size && errno != EPIPE)
		log_event("system", "ActivityManager", "order %s to %s was lost", order, app->package);
}

void app_leave_front(struct app *app)
{
	if (front != app)
		return;
	front = NULL;
	if (app->pid)
		app_tell(app, "pause");
}

void app_to_front(struct app *app)
{
	if (front && front != app)
		app_leave_front(front);
	front = app;
	app->has_activity = true;
	app->last_used = ++use_count;
}

void app_kill(struct app *app, enum subreason subreason, const char *reason)
{
	int status;

	if (!app->pid)
		return;
	snprintf(app->kill_reason, sizeof(app->kill_reason), "%s", reason);
	app->kill_subreason = subreason;
	kill(app->pid, SIGKILL);
	while (waitpid(app->pid, &status, 0) < 0 && errno == EINTR)
		;
	app_ended(app, SIGKILL);
}

static bool kernel_ran_out_of_memory(void)
{
	static char text[32768];
	char *at;
	long long kills = 0;
	bool more;

	if (read_file("/proc/vmstat", text, sizeof(text)) > 0 && (at = strstr(text, "\noom_kill ")))
		kills = atoll(at + 10);
	more = kills > oom_kills_seen;
	/* One step for one death: two apps killed together are both reported. */
	if (more)
		oom_kills_seen++;
	return more;
}

void app_ended(struct app *app, int status)
{
	int pid = (int)app->pid;
	int state = front == app ? 2 : app->adj == ADJ_PREVIOUS ? 15 : 16;

	close(app->to_app);
	close(app->from_app);
	app->to_app = app->from_app = -1;
	if (front == app)
		front = NULL;
	if (app->kill_reason[0]) {
		log_event("events", "am_kill", "[0,%d,%s,%d,%s]", pid, app->package, app->adj, app->kill_reason);
		exits_add(app, 10, 0, app->kill_reason);
	} else {
		const char *why = "exited";
		bool oom = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && kernel_ran_out_of_memory();

		if (oom) {
			why = "killed by the kernel, out of memory";
			exits_add(app, 3, 0, why);
		} else if (WIFSIGNALED(status)) {
			why = "killed by a signal";
			exits_add(app, 2, WTERMSIG(status), why);
		} else {
			exits_add(app, 1, WEXITSTATUS(status), why);
		}
		log_event("events", "am_proc_died", "[0,%d,%s,%d,%d]", pid, app->package, app->adj, state);
		log_event("system", "ActivityManager", "Process %s (pid %d) has died: %s (adj %d)", app->package, pid,
			  why, app->adj);
	}
	app->pid = 0;
	app->has_activity = false;
	launch_failed(app);
	apps_update_adj();
	idle_may_have_come();
}
