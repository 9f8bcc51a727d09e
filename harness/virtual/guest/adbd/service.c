/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include "../common/io.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* adbd itself is never a victim; what it runs must outlive the apps, as on a phone, but can be killed. */
#define SHELL_OOM_SCORE_ADJ "-950"

struct request {
	bool shell;
	bool packets;
	bool pty;
	char term[64];
	const char *command;
};

static void parse_shell_options(struct request *request, char *options)
{
	request->pty = request->command[0] == '\0';
	for (char *word = strtok(options, ","); word; word = strtok(NULL, ",")) {
		if (!strcmp(word, "v2"))
			request->packets = true;
		else if (!strcmp(word, "raw"))
			request->pty = false;
		else if (!strcmp(word, "pty"))
			request->pty = true;
		else if (!strncmp(word, "TERM=", 5))
			snprintf(request->term, sizeof(request->term), "%s", word + 5);
	}
}

/* "shell,v2,TERM=xterm,raw:COMMAND", "shell:COMMAND", "exec:COMMAND". */
static bool parse_shell(const char *name, struct request *request)
{
	const char *colon = strchr(name, ':');
	char options[256] = "";

	if (!colon)
		return false;
	request->command = colon + 1;
	snprintf(request->term, sizeof(request->term), "dumb");
	if (!strncmp(name, "exec:", 5))
		return true;
	if (strncmp(name, "shell", 5) || (name[5] != ':' && name[5] != ','))
		return false;
	if (name[5] == ',')
		snprintf(options, sizeof(options), "%.*s", (int)(colon - name - 6), name + 6);
	parse_shell_options(request, options);
	return true;
}

static void say(int sock, const char *text)
{
	write_full(sock, text, strlen(text));
}

static void reboot_service(int sock, const char *reason)
{
	sync();
	execl("/system/bin/reboot", "reboot", reason, (char *)NULL);
	say(sock, "this device cannot reboot itself\n");
}

static void run(int sock, const char *name)
{
	struct request request = { 0 };

	if (parse_shell(name, &request))
		shell_service(sock, request.command, request.packets, request.pty, request.term);
	else if (!strncmp(name, "sync:", 5))
		sync_service(sock);
	else if (!strncmp(name, "reboot:", 7))
		reboot_service(sock, name + 7);
	else if (!strncmp(name, "root:", 5))
		say(sock, getuid() == 0 ? "adbd is already running as root\n" :
					  "adbd cannot run as root in production builds\n");
}

static bool known(const char *name)
{
	struct request request = { 0 };

	return parse_shell(name, &request) || !strncmp(name, "sync:", 5) || !strncmp(name, "reboot:", 7) ||
	       !strncmp(name, "root:", 5);
}

static void leave_transport_behind(int sock)
{
	if (sock > 3)
		close_range(3, (unsigned int)sock - 1, 0);
	close_range((unsigned int)sock + 1, ~0u, 0);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	write_file("/proc/self/oom_score_adj", SHELL_OOM_SCORE_ADJ);
	setsid();
}

int service_start(const char *name)
{
	int pair[2];
	pid_t pid;

	if (!known(name) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		leave_transport_behind(pair[1]);
		run(pair[1], name);
		_exit(0);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return -1;
	}
	return pair[0];
}
