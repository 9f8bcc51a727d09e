/* SPDX-License-Identifier: Apache-2.0 */
/* am start, from the intent to the drawn window. */
#include "activityd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LAUNCH_DEADLINE_MS (120 * 1000)
#define IDLE_DEADLINE_MS (120 * 1000)

struct intent {
	bool wait;
	bool stop_first;
	const char *action;
	const char *category;
	const char *flags;
	char package[PACKAGE_MAX];
	char activity[PACKAGE_MAX]; /* short: ".Main" */
};

/* "com.example/.Main" or "com.example/com.example.Main" */
static bool parse_component(struct intent *intent, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : 0;
	const char *name = slash ? slash + 1 : NULL;

	if (!slash || length == 0 || length >= PACKAGE_MAX || !*name || strlen(name) >= PACKAGE_MAX)
		return false;
	memcpy(intent->package, text, length);
	intent->package[length] = '\0';
	if (!strncmp(name, intent->package, length) && name[length] == '.')
		name += length;
	strcpy(intent->activity, name);
	return true;
}

/* NULL, or the complaint. */
static const char *parse(struct intent *intent, int argc, char **argv, const char **about)
{
	bool have_component = false;

	for (int i = 2; i < argc; i++) {
		const char *word = argv[i];
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		bool takes_value = word[0] == '-' && strlen(word) == 2 && strchr("nacfdt", word[1]);

		*about = word;
		if (!strcmp(word, "-W")) {
			intent->wait = true;
		} else if (!strcmp(word, "-S")) {
			intent->stop_first = true;
		} else if (!strcmp(word, "--user") || takes_value) {
			if (!value)
				return "Error: Argument expected after";
			if (word[1] == 'n')
				have_component = parse_component(intent, value);
			if (word[1] == 'n' && !have_component) {
				*about = value;
				return "Error: Bad component name:";
			}
			if (word[1] == 'a')
				intent->action = value;
			if (word[1] == 'c')
				intent->category = value;
			if (word[1] == 'f')
				intent->flags = value;
			i++;
		} else if (word[0] == '-') {
			return "Error: Unknown option:";
		} else {
			have_component = parse_component(intent, word);
			if (!have_component)
				return "Error: Bad component name:";
		}
	}
	*about = "";
	return have_component ? NULL : "Error: No intent supplied";
}

static void print_intent(FILE *out, const struct intent *intent)
{
	fputs("Starting: Intent {", out);
	if (intent->action)
		fprintf(out, " act=%s", intent->action);
	if (intent->category)
		fprintf(out, " cat=[%s]", intent->category);
	if (intent->flags)
		fprintf(out, " flg=%s", intent->flags);
	fprintf(out, " cmp=%s/%s }\n", intent->package, intent->activity);
}

static void print_result(struct client *client, const struct app *app, bool timeout, enum launch_state state,
			 int64_t total_ms)
{
	static const char *const names[] = { "UNKNOWN (0)", "COLD", "WARM", "HOT" };

	if (client->to_front)
		fputs("Warning: Activity not started, its current task has been brought to the front\n", client->out);
	fprintf(client->out, "Status: %s\nLaunchState: %s\nActivity: %s/.Main\n", timeout ? "timeout" : "ok", names[state],
		app->package);
	if (total_ms >= 0)
		fprintf(client->out, "TotalTime: %lld\n", (long long)total_ms);
	fprintf(client->out, "WaitTime: %lld\nComplete\n", (long long)(now_ms() - client->begin_ms));
	client_done(client, 0);
}

static void finish_launch(struct app *app, bool timeout)
{
	int64_t total_ms = timeout ? -1 : now_ms() - app->launch_begin_ms;

	app->launching = false;
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].fd >= 0 && clients[i].waits_for == app)
			print_result(&clients[i], app, timeout, timeout ? LAUNCH_UNKNOWN : app->launch_state, total_ms);
}

void app_drawn(struct app *app)
{
	if (!app->launching)
		return;
	if (app->launch_state != LAUNCH_HOT)
		log_event("system", "ActivityTaskManager", "Displayed %s/.Main: +%lldms", app->package,
			  (long long)(now_ms() - app->launch_begin_ms));
	finish_launch(app, false);
}

void launch_failed(struct app *app)
{
	if (app->launching)
		finish_launch(app, true);
}

static void expire_idle(void);

void expire_launches(void)
{
	for (size_t i = 0; i < MAX_APPS; i++)
		if (apps[i].launching && now_ms() - apps[i].launch_begin_ms > LAUNCH_DEADLINE_MS)
			finish_launch(&apps[i], true);
	expire_idle();
}

static bool is_busy(const struct app *app)
{
	return app->pid && app->uses_left;
}

void wait_idle(struct client *client)
{
	client->waits_for_idle = true;
	idle_may_have_come();
}

void idle_may_have_come(void)
{
	for (size_t i = 0; i < MAX_APPS; i++)
		if (is_busy(&apps[i]))
			return;
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].fd >= 0 && clients[i].waits_for_idle)
			client_done(&clients[i], 0);
}

static void expire_idle(void)
{
	for (size_t i = 0; i < MAX_CLIENTS; i++) {
		struct client *client = &clients[i];

		if (client->fd < 0 || !client->waits_for_idle || now_ms() - client->begin_ms <= IDLE_DEADLINE_MS)
			continue;
		for (size_t j = 0; j < MAX_APPS; j++)
			if (is_busy(&apps[j]))
				fprintf(client->err, "Error: %s is still busy\n", apps[j].package);
		client_done(client, 1);
	}
}

static bool launch(struct app *app)
{
	bool running = app->pid != 0;

	app->launch_state = !running ? LAUNCH_COLD : app->has_activity ? LAUNCH_HOT : LAUNCH_WARM;
	app->launch_begin_ms = now_ms();
	if (!running && !app_spawn(app))
		return false;
	app->launching = true;
	app_to_front(app);
	apps_update_adj();
	if (running) {
		app->uses_left++;
		app_tell(app, app->launch_state == LAUNCH_HOT ? "resume" : "recreate");
	}
	return true;
}

void start_activity(struct client *client, int argc, char **argv)
{
	struct intent intent = { 0 };
	const char *about;
	const char *complaint = parse(&intent, argc, argv, &about);
	FILE *notes = intent.wait ? client->out : client->err;
	struct app *app;

	if (complaint) {
		fprintf(client->err, "%s %s\n", complaint, about);
		client_done(client, 255);
		return;
	}
	if (intent.stop_first) {
		fprintf(client->out, "Stopping: %s\n", intent.package);
		force_stop(client, intent.package);
	}
	print_intent(client->out, &intent);
	app = package_is_installed(intent.package) && !strcmp(intent.activity, ".Main") ? app_get(intent.package) : NULL;
	if (!app) {
		fprintf(notes, "Error type 3\nError: Activity class {%s/%s%s} does not exist.\n", intent.package,
			intent.activity[0] == '.' ? intent.package : "", intent.activity);
		client_done(client, 0); /* as am does: the text tells, not the status */
		return;
	}
	if (app->pid && app == app_in_front() && !app->launching) {
		fputs("Warning: Activity not started, intent has been delivered to currently running top-most instance.\n",
		      notes);
		if (intent.wait)
			print_result(client, app, false, LAUNCH_UNKNOWN, 0);
		else
			client_done(client, 0);
		return;
	}
	if (!(app->launching && app == app_in_front()) && !launch(app)) {
		fprintf(notes, "Error: Activity not started, unknown error code %d\n", errno);
		client_done(client, 0);
		return;
	}
	client->to_front = app->launch_state == LAUNCH_HOT;
	if (intent.wait) {
		client->waits_for = app;
		return;
	}
	if (client->to_front)
		fputs("Warning: Activity not started, its current task has been brought to the front\n", notes);
	client_done(client, 0);
}

void app_read(struct app *app)
{
	char *end;
	ssize_t got = read(app->from_app, app->line + app->line_have, sizeof(app->line) - 1 - app->line_have);

	if (got <= 0) {
		/* Its end is told by SIGCHLD; a closed pipe alone is only no longer read. */
		if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
			close(app->from_app);
			app->from_app = -1;
		}
		return;
	}
	app->line_have += (size_t)got;
	app->line[app->line_have] = '\0';
	while ((end = strchr(app->line, '\n'))) {
		*end = '\0';
		if (!strncmp(app->line, "drawn ", 6))
			app_drawn(app);
		if (!strcmp(app->line, "idle") && app->uses_left)
			app->uses_left--;
		app->line_have -= (size_t)(end + 1 - app->line);
		memmove(app->line, end + 1, app->line_have + 1);
	}
	if (app->line_have == sizeof(app->line) - 1)
		app->line_have = 0;
	idle_may_have_come();
}
