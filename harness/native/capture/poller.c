/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poller --period-ms N --out FILE | --once --mark NAME  [--match REGEX]... [--file PATH]...
 *
 * Samples the kernel's counters, one JSON object a line: /proc/vmstat, /proc/meminfo,
 * /proc/pressure, every zram disk, /proc/stat, schedstat of the processes whose comm matches (which
 * kernel threads are), and files that hold one number. A source that this kernel does not have is
 * null and named in "missing". It runs until SIGTERM, or until nobody holds the other end of its
 * standard output, so that a host that went away leaves nothing running.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "counters.h"
#include "threads.h"

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

__attribute__((format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list arguments;

	fputs("poller: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void take(struct sample *sample, const char *mark)
{
	struct text *out = &sample->out;

	out->length = 0;
	sample->missing.length = 0;
	text_add(out, "{\"t_boot_ns\":");
	text_add_number(out, boot_ns());
	text_add(out, ",\"mark\":");
	text_add_string(out, mark);
	text_add(out, ",");
	add_vmstat(sample);
	add_meminfo(sample);
	add_pressure(sample);
	add_zram(sample);
	add_threads(out);
	add_stat(sample);
	add_files(sample);
	text_add(out, "\"missing\":[");
	text_add_bytes(out, sample->missing.data, sample->missing.length);
	text_add(out, "],\"t_end_boot_ns\":");
	text_add_number(out, boot_ns());
	text_add(out, "}\n");
}

static void write_all(int fd, const struct text *text)
{
	for (size_t done = 0; done < text->length;) {
		ssize_t got = write(fd, text->data + done, text->length - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			die("cannot write: %s", strerror(errno));
		done += (size_t)got;
	}
}

/* A pipe or socket whose reader has gone shows as an error or a hang-up; a file never does. */
static bool host_is_gone(void)
{
	struct pollfd output = { .fd = STDOUT_FILENO };

	return poll(&output, 1, 0) > 0 && output.revents & (POLLERR | POLLHUP);
}

static void run(struct sample *sample, const char *path, long period_ms)
{
	struct timespec next;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!stopping && !host_is_gone()) {
		take(sample, "sample");
		write_all(fd, &sample->out);
		next.tv_nsec += (period_ms % 1000) * 1000000;
		next.tv_sec += period_ms / 1000 + next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		while (!stopping && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
			;
	}
	close(fd);
}

struct options {
	const char *path, *mark;
	long period_ms;
	bool once;
};

static void parse_option(struct options *options, const char *name, const char *value)
{
	if (!strcmp(name, "--period-ms"))
		options->period_ms = atol(value);
	else if (!strcmp(name, "--out"))
		options->path = value;
	else if (!strcmp(name, "--mark"))
		options->mark = value;
	else if (!strcmp(name, "--match")) {
		if (!watch_threads(value))
			die("--match '%s' is no extended regular expression, or one too many", value);
	} else if (!strcmp(name, "--file")) {
		if (!watch_file(value))
			die("too many --file");
	} else {
		die("unknown option '%s'", name);
	}
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct sample sample = { 0 };

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--once")) {
			options.once = true;
			continue;
		}
		if (i + 1 == argc)
			die("%s needs a value, or is not known", argv[i]);
		parse_option(&options, argv[i], argv[i + 1]);
		i++;
	}
	if (options.once ? !options.mark || options.path : !options.path || options.period_ms < 10)
		die("usage: poller --period-ms N --out FILE | --once --mark NAME [--match REGEX]... "
		    "[--file PATH]...");
	if (options.once) {
		take(&sample, options.mark);
		write_all(STDOUT_FILENO, &sample.out);
		return 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* Its own pages must not be swapped by the reclaim that it watches; a user build may refuse this. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		errno = 0;
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	run(&sample, options.path, options.period_ms);
	return 0;
}
