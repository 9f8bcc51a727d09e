/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts apps as real processes, keeps their order of use and their oom_score_adj as Android's
 * activity manager does, and answers am, pm, cmd, dumpsys, input and logcat.
 */
#ifndef ACTIVITYD_H
#define ACTIVITYD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define MAX_APPS 128
#define MAX_CLIENTS 32
#define PACKAGE_MAX 128
#define APP_DIR "/data/app"

/* Android's classes (ProcessList): what the kernel's OOM killer takes first has the highest. */
#define ADJ_FOREGROUND 0
#define ADJ_PREVIOUS 700
#define ADJ_CACHED_MIN 900
#define ADJ_CACHED_STEP 10
#define ADJ_CACHED_MAX 999

/* Why the activity manager itself ended a process (ApplicationExitInfo.java, SUBREASON_*). */
enum subreason { SUBREASON_UNKNOWN = 0, SUBREASON_FORCE_STOP = 21, SUBREASON_KILL_BACKGROUND = 24 };

enum launch_state { LAUNCH_UNKNOWN, LAUNCH_COLD, LAUNCH_WARM, LAUNCH_HOT };

struct app {
	char package[PACKAGE_MAX];
	pid_t pid; /* 0: not running */
	int to_app;
	int from_app;
	char line[256];
	size_t line_have;
	bool has_activity; /* false once BACK has finished it: the process lives on */
	uint64_t last_used; /* rises with each time in front */
	int adj;
	unsigned uses_left; /* times in front that the app has not yet called idle */
	bool launching;
	enum launch_state launch_state;
	int64_t launch_begin_ms;
	char kill_reason[PACKAGE_MAX + 64]; /* ours, so that its end is not reported as a death; else empty */
	enum subreason kill_subreason;
};

/* One command line being answered. */
struct client {
	int fd; /* -1: free */
	char request[4 + 8192];
	size_t have;
	char *out_text;
	size_t out_size;
	FILE *out;
	char *err_text;
	size_t err_size;
	FILE *err;
	struct app *waits_for; /* am start -W, until the app has drawn */
	bool to_front;
	bool waits_for_idle; /* am wait-idle, until no app is busy */
	int64_t begin_ms;
};

/* main.c */
int64_t now_ms(void);

/* apps.c */
extern struct app apps[MAX_APPS];
bool package_is_installed(const char *package);
/* Package names in /data/app, sorted; the count. The names live until the next call. */
size_t installed_packages(char names[][PACKAGE_MAX], size_t room);
struct app *app_find(const char *package);
struct app *app_get(const char *package);
struct app *app_in_front(void);
/* Running apps, last used first; the count. */
size_t apps_by_use(struct app **sorted);
bool app_spawn(struct app *app);
void app_tell(struct app *app, const char *order);
/* SIGKILL for a reason of ours; returns when the process is gone. */
void app_kill(struct app *app, enum subreason subreason, const char *reason);
void app_ended(struct app *app, int status);
void apps_update_adj(void);
void app_leave_front(struct app *app);
void app_to_front(struct app *app);

/* launch.c */
void start_activity(struct client *client, int argc, char **argv);
void app_read(struct app *app);
void app_drawn(struct app *app);
void launch_failed(struct app *app);
void expire_launches(void);
/* am wait-idle: answers when every running app has finished its last use. */
void wait_idle(struct client *client);
void idle_may_have_come(void);
void client_done(struct client *client, int status);
extern struct client clients[MAX_CLIENTS];

/* eventlog.c */
void log_event(const char *buffer, const char *tag, const char *format, ...) __attribute__((format(printf, 3, 4)));
int logcat(struct client *client, int argc, char **argv);

/* exits.c */
void exits_add(const struct app *app, int reason, int status, const char *description);
void exits_dump(FILE *out, const char *package);

/* commands.c */
/* Ends the package's process; an unknown package is no error, as on a phone. */
void force_stop(const struct client *client, const char *package);
void run_command(struct client *client, int argc, char **argv);

/* dump.c */
int dumpsys(struct client *client, int argc, char **argv);

#endif
