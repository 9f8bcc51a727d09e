/* SPDX-License-Identifier: Apache-2.0 */
/* am, pm, cmd and input: from words to actions. */
#include "activityd.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The reason names the package and who asked (ActivityManagerService.java, forceStopPackageLocked). */
void force_stop(const struct client *client, const char *package)
{
	struct app *app = app_find(package);
	struct ucred asking = { 0 };
	socklen_t size = sizeof(asking);
	char reason[sizeof(app->kill_reason)];

	if (!app)
		return;
	getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &asking, &size);
	snprintf(reason, sizeof(reason), "stop %s due to from pid %d", app->package, (int)asking.pid);
	app_kill(app, SUBREASON_FORCE_STOP, reason);
}

static bool in_background(const struct app *app)
{
	return app->pid && app != app_in_front();
}

static int kill_background(const char *package)
{
	const char *reason = package ? "kill background" : "kill all background";

	for (size_t i = 0; i < MAX_APPS; i++)
		if (in_background(&apps[i]) && (!package || !strcmp(package, apps[i].package)))
			app_kill(&apps[i], SUBREASON_KILL_BACKGROUND, reason);
	return 0;
}

static const char *package_argument(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--user"))
			i++;
		else if (argv[i][0] != '-')
			return argv[i];
	}
	return NULL;
}

static int am(struct client *client, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	const char *package = package_argument(argc, argv);

	if (!strcmp(verb, "kill-all"))
		return kill_background(NULL);
	if (!strcmp(verb, "get-current-user")) {
		fputs("0\n", client->out);
		return 0;
	}
	if (!strcmp(verb, "force-stop") || !strcmp(verb, "kill")) {
		if (!package) {
			fputs("Error: Argument expected after the command\n", client->err);
			return 255;
		}
		if (verb[0] == 'k')
			return kill_background(package);
		force_stop(client, package);
		return 0;
	}
	fprintf(client->err, "Unknown command: %s\n", verb);
	return 255;
}

static int list_packages(struct client *client, int argc, char **argv)
{
	static char names[MAX_APPS][PACKAGE_MAX];
	size_t count = installed_packages(names, MAX_APPS);
	const char *filter = NULL;
	bool system_only = false;

	for (int i = 3; i < argc; i++) {
		if (!strcmp(argv[i], "-s"))
			system_only = true;
		else if (!strcmp(argv[i], "--user"))
			i++;
		else if (argv[i][0] != '-')
			filter = argv[i];
	}
	for (size_t i = 0; i < count && !system_only; i++)
		if (!filter || strstr(names[i], filter))
			fprintf(client->out, "package:%s\n", names[i]);
	return 0;
}

static int pm(struct client *client, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	const char *package = package_argument(argc, argv);

	if (!strcmp(verb, "list") && argc > 2 && !strcmp(argv[2], "packages"))
		return list_packages(client, argc, argv);
	if (!strcmp(verb, "path") && package) {
		if (!package_is_installed(package))
			return 1;
		fprintf(client->out, "package:" APP_DIR "/%s/app.ini\n", package);
		return 0;
	}
	if (!strcmp(verb, "resolve-activity") && package) {
		if (!package_is_installed(package)) {
			fputs("No activity found\n", client->out);
			return 0;
		}
		fprintf(client->out, "priority=0 preferredOrder=0 match=0x0 specificIndex=-1 isDefault=false\n%s/.Main\n",
			package);
		return 0;
	}
	fprintf(client->err, "Unknown command: %s\n", verb);
	return 255;
}

static const struct {
	const char *name;
	int code;
} keys[] = {
	{ "HOME", 3 }, { "BACK", 4 }, { "POWER", 26 }, { "MENU", 82 }, { "APP_SWITCH", 187 },
	{ "SLEEP", 223 }, { "WAKEUP", 224 },
};

static int key_code(const char *word)
{
	if (isdigit((unsigned char)word[0]))
		return atoi(word);
	if (!strncmp(word, "KEYCODE_", 8))
		word += 8;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i].name, word))
			return keys[i].code;
	return -1;
}

static int input(struct client *client, int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "keyevent")) {
		fprintf(client->err, "Error: this device has keys only (input keyevent KEY), not: %s\n",
			argc > 1 ? argv[1] : "");
		return 255;
	}
	for (int i = 2; i < argc; i++) {
		struct app *front = app_in_front();
		int code = key_code(argv[i]);

		if (code < 0) {
			fprintf(client->err, "Error: Unknown keycode: %s\n", argv[i]);
			return 255;
		}
		/* Without a screen the other keys have nothing to do. */
		if (front && (code == 3 || code == 4)) {
			app_leave_front(front);
			if (code == 4)
				front->has_activity = false;
			apps_update_adj();
		}
	}
	return 0;
}

static int cmd(struct client *client, int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "-l")) {
		fputs("Currently running services:\n  activity\n  input\n  package\n", client->out);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "package"))
		return pm(client, argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "activity"))
		return am(client, argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "input"))
		return input(client, argc - 1, argv + 1);
	fprintf(client->err, "cmd: Can't find service: %s\n", argc > 1 ? argv[1] : "");
	return 20;
}

static bool is_start(int argc, char **argv)
{
	return argc > 1 && (!strcmp(argv[1], "start") || !strcmp(argv[1], "start-activity"));
}

void run_command(struct client *client, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct client *client, int argc, char **argv);
	} commands[] = {
		{ "am", am }, { "pm", pm }, { "cmd", cmd }, { "input", input }, { "dumpsys", dumpsys }, { "logcat", logcat },
	};

	/* These answer later: when the app has drawn, when no app is busy. */
	if (!strcmp(argv[0], "am") && is_start(argc, argv)) {
		start_activity(client, argc, argv);
		return;
	}
	if (!strcmp(argv[0], "cmd") && argc > 1 && !strcmp(argv[1], "activity") && is_start(argc - 1, argv + 1)) {
		start_activity(client, argc - 1, argv + 1);
		return;
	}
	if (!strcmp(argv[0], "am") && argc > 1 && !strcmp(argv[1], "wait-idle")) {
		wait_idle(client);
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[0], commands[i].name)) {
			client_done(client, commands[i].run(client, argc, argv));
			return;
		}
	fprintf(client->err, "%s: not served here\n", argv[0]);
	client_done(client, 127);
}
