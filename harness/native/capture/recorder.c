/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the capture needs on the device and no shell applet offers alike everywhere:
 * a reading of all clocks at one instant, a read of a stopped trace buffer that ends
 * instead of waiting for the next event, and the time of a system call that is probed.
 *
 *   recorder facts
 *   recorder probe-cost --calls N
 *   recorder drain --page-size BYTES --limit BYTES --out FILE TRACE_PIPE_RAW
 *
 * Prints one JSON object. Exit status: 0 done, 1 failed (reason on stderr), 2 usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static long long clock_ns(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now) != 0)
		return -1;
	return (long long)now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int failed(const char *what, const char *path)
{
	fprintf(stderr, "recorder: %s %s: %s\n", what, path, strerror(errno));
	return 1;
}

static void print_text(const char *key, const char *text)
{
	printf("\"%s\":\"", key);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		if ((unsigned char)*text >= 0x20)
			putchar(*text);
	}
	printf("\",");
}

static int facts(void)
{
	struct utsname name;
	/* Boot is read first: it is the clock that all others are related to. */
	long long boot = clock_ns(CLOCK_BOOTTIME);
	long long monotonic = clock_ns(CLOCK_MONOTONIC);
	long long raw = clock_ns(CLOCK_MONOTONIC_RAW);
	long long real = clock_ns(CLOCK_REALTIME);

	if (boot < 0 || uname(&name) != 0)
		return failed("cannot read", "clocks and uname");
	printf("{");
	print_text("sysname", name.sysname);
	print_text("release", name.release);
	print_text("version", name.version);
	print_text("machine", name.machine);
	printf("\"page_size\":%ld,\"cpus\":%ld,\"clk_tck\":%ld,", sysconf(_SC_PAGESIZE),
	       sysconf(_SC_NPROCESSORS_CONF), sysconf(_SC_CLK_TCK));
	printf("\"boot_ns\":%lld,\"monotonic_ns\":%lld,\"monotonic_raw_ns\":%lld,\"realtime_ns\":%lld}\n",
	       boot, monotonic, raw, real);
	return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, data, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		data += done;
		size -= (size_t)done;
	}
	return 0;
}

static int drain(const char *source, const char *target, size_t page_size, long long limit)
{
	const struct timespec pause = { .tv_sec = 0, .tv_nsec = 1000000 };
	char *page = malloc(page_size);
	long long total = 0;
	int empty = 0, idle = 0, in, out;

	if (!page)
		return failed("no memory for a page of", source);
	in = open(source, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (in < 0)
		return failed("cannot open", source);
	out = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	/* Root's umask must not keep the adb user from reading it. */
	if (out < 0 || fchmod(out, 0644) != 0)
		return failed("cannot create", target);
	while (total + (long long)page_size <= limit) {
		ssize_t size = read(in, page, page_size);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno == EAGAIN) {
			empty = 1;
			break;
		}
		if (size < 0)
			return failed("cannot read", source);
		if (size == 0) {
			/* Not empty, yet nothing was given out: a writer is still at work. */
			if (++idle > 200) {
				errno = EBUSY;
				return failed("is still written to", source);
			}
			nanosleep(&pause, NULL);
			continue;
		}
		if ((size_t)size != page_size) {
			errno = EPROTO;
			return failed("gave a part of a page:", source);
		}
		if (write_all(out, page, page_size) != 0)
			return failed("cannot write", target);
		total += (long long)page_size;
	}
	if (close(out) != 0)
		return failed("cannot write", target);
	close(in);
	free(page);
	printf("{\"bytes\":%lld,\"empty\":%s}\n", total, empty ? "true" : "false");
	return 0;
}

/* The least of several rounds: whoever takes the CPU meanwhile spoils only some of them. */
static double call_ns(long number, int calls)
{
	double least = -1;

	for (int round = 0; round < 10; round++) {
		long long begin = clock_ns(CLOCK_MONOTONIC);
		double each;

		for (int i = 0; i < calls; i++)
			syscall(number);
		each = (double)(clock_ns(CLOCK_MONOTONIC) - begin) / calls;
		if (least < 0 || each < least)
			least = each;
	}
	return least;
}

/* getppid is the one with a probe; both do next to nothing. */
static int probe_cost(int calls)
{
	printf("{\"plain_ns\":%.1f,", call_ns(SYS_getuid, calls));
	printf("\"probed_ns\":%.1f}\n", call_ns(SYS_getppid, calls));
	return 0;
}

int main(int argc, char **argv)
{
	const char *out = NULL, *source = NULL;
	long long page_size = 0, limit = 0;

	if (argc == 2 && strcmp(argv[1], "facts") == 0)
		return facts();
	if (argc == 4 && strcmp(argv[1], "probe-cost") == 0 && strcmp(argv[2], "--calls") == 0 &&
	    atoi(argv[3]) > 0)
		return probe_cost(atoi(argv[3]));
	if (argc < 2 || strcmp(argv[1], "drain") != 0)
		goto usage;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--page-size") == 0 && i + 1 < argc)
			page_size = atoll(argv[++i]);
		else if (strcmp(argv[i], "--limit") == 0 && i + 1 < argc)
			limit = atoll(argv[++i]);
		else if (strcmp(argv[i], "--out") == 0 && i + 1 < argc)
			out = argv[++i];
		else if (argv[i][0] != '-' && !source)
			source = argv[i];
		else
			goto usage;
	}
	if (!out || !source || page_size < 64 || page_size > (1 << 20) || limit < page_size)
		goto usage;
	return drain(source, out, (size_t)page_size, limit);
usage:
	fprintf(stderr, "usage: recorder facts | recorder probe-cost --calls N | recorder drain --page-size BYTES --limit BYTES --out FILE SOURCE\n");
	return 2;
}
