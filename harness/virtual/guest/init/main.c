/* SPDX-License-Identifier: Apache-2.0 */
/* Process 1 of the virtual device. */
#include "init.h"

#include "../common/io.h"
#include "../common/props.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct daemon {
	const char *path;
	const char *socket; /* it serves once this exists; NULL: once it prints a line */
	pid_t pid;
	unsigned int wait_ms; /* before it is started again */
};

/* activityd is the suite's own; the others are what runs on phones, from Debian's packages. */
static struct daemon daemons[] = {
	{ .path = "/system/bin/activityd" },
	{ .path = "/system/bin/adbd", .socket = ADB_PORT },
	{ .path = "/system/bin/traced", .socket = "/tmp/perfetto-consumer" },
	{ .path = "/system/bin/traced_probes", .socket = "/tmp/perfetto-producer" },
};
#define DAEMONS (sizeof(daemons) / sizeof(daemons[0]))

static struct daemon link_to_host = { .path = "/system/bin/link" };

void report(const char *format, ...)
{
	char text[900] = "<4>suite-init: ";
	size_t used = strlen(text);
	va_list arguments;
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	va_start(arguments, format);
	vsnprintf(text + used, sizeof(text) - used - 1, format, arguments);
	va_end(arguments);
	/* One write is one line of the log; without its end the kernel keeps it back until the next. */
	strcat(text, "\n");
	write_full(fd, text, strlen(text));
	close(fd);
}

static void become(const struct daemon *daemon, int said)
{
	int log = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	dup2(log, 0);
	dup2(daemon->socket ? log : said, 1);
	dup2(log, 2);
	execl(daemon->path, daemon->path, (char *)NULL);
	_exit(127);
}

static bool serves(const struct daemon *daemon, int said, int deadline_ms)
{
	char line[64];
	struct pollfd entry = { .fd = said, .events = POLLIN };

	if (!daemon->socket)
		return poll(&entry, 1, deadline_ms) == 1 && read(said, line, sizeof(line)) > 0;
	for (int waited_ms = 0; waited_ms < deadline_ms; waited_ms += 10) {
		if (is_open(daemon->socket))
			return true;
		usleep(10 * 1000);
	}
	return false;
}

/* Starts a daemon and waits until it serves. */
static bool start(struct daemon *daemon, int deadline_ms)
{
	int said[2];
	bool ready;

	if (pipe2(said, O_CLOEXEC) < 0)
		return false;
	daemon->pid = fork();
	if (daemon->pid == 0)
		become(daemon, said[1]);
	close(said[1]);
	ready = daemon->pid > 0 && serves(daemon, said[0], deadline_ms);
	close(said[0]);
	if (!ready)
		report("%s does not start", daemon->path);
	return ready;
}

/* toybox's reboot, halt and poweroff ask process 1 by these signals. */
static void on_request(int signal_number)
{
	sync();
	reboot(signal_number == SIGTERM ? RB_AUTOBOOT : RB_POWER_OFF);
}

static void restart_forever(void)
{
	for (;;) {
		int status;
		pid_t pid = wait(&status);

		if (pid < 0 && errno == ECHILD)
			sleep(1);
		for (size_t i = 0; i < DAEMONS; i++) {
			if (pid <= 0 || daemons[i].pid != pid)
				continue;
			report("%s ended with status %#x, starting it again", daemons[i].path, status);
			/* A daemon that cannot live must not eat the CPU; the wait doubles each time. */
			usleep((useconds_t)(daemons[i].wait_ms * 1000));
			if (daemons[i].wait_ms < 8000)
				daemons[i].wait_ms *= 2;
			start(&daemons[i], 10 * 1000);
		}
	}
}

int main(void)
{
	bool ready = true, lockstep;

	umask(022);
	signal(SIGTERM, on_request);
	signal(SIGUSR1, on_request);
	signal(SIGUSR2, on_request);
	mount_all();
	lockstep = is_asked_for("suite.lockstep");
	write_file("/proc/self/oom_score_adj", "-1000");
	load_properties();
	load_modules();
	tune_kernel();
	setenv("PATH", "/system/bin", 1);
	setenv("HOME", "/", 1);
	setenv("USER", "root", 1);
	setenv("LOGNAME", "root", 1);
	setenv("HOSTNAME", "virtual", 1);
	setenv("ANDROID_ROOT", "/system", 1);
	setenv("ANDROID_DATA", "/data", 1);
	unsetenv("TERM");
	if (!network_up(!lockstep))
		report("no network: %s", strerror(errno));
	for (size_t i = 0; i < DAEMONS; i++)
		ready = start(&daemons[i], 30 * 1000) && ready;
	prop_set("sys.boot_completed", "1");
	if (ready)
		report("ready");
	/* The last: from its first turn on, time passes only for the host's orders. */
	if (lockstep)
		start(&link_to_host, 30 * 1000);
	restart_forever();
}
