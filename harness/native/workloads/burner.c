/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burner --all-cpus | --threads N [--nice N] [--fifo PRIORITY] [--busy-ms N --every-ms N]
 *        [--seconds N]: keeps CPUs busy.
 *
 * One spinning thread pinned to each CPU. Prints "ready N" once all of them spin, and runs until
 * SIGTERM, the given time, its parent's end, or until nobody reads its output any more.
 *
 * With --fifo the spinning threads have the real-time policy SCHED_FIFO (sched(7)), and this one
 * has not. With --busy-ms they spin that long at each multiple of --every-ms of CLOCK_MONOTONIC,
 * all of them at the same time, and sleep in between.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lifetime.h"

static atomic_int spinning;
static volatile sig_atomic_t sink;

struct spinner {
	pthread_t thread;
	int cpu;
};

/* The same for all threads, set before the first one starts. */
static int fifo_priority;
static long long busy_ns, every_ns;

static void spin_without_end(void)
{
	for (unsigned value = 1;; value = value * 1664525u + 1013904223u)
		if (value == 0)
			sink = 1;
}

static void spin_in_bursts(void)
{
	for (;;) {
		struct timespec now;
		long long at, next;

		clock_gettime(CLOCK_MONOTONIC, &now);
		at = now.tv_sec * 1000000000LL + now.tv_nsec;
		if (at % every_ns < busy_ns)
			continue;
		next = (at / every_ns + 1) * every_ns;
		now.tv_sec = next / 1000000000LL;
		now.tv_nsec = next % 1000000000LL;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL);
	}
}

static void *spin(void *argument)
{
	const struct spinner *self = argument;
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(self->cpu, &only);
	if (sched_setaffinity(0, sizeof(only), &only)) {
		fprintf(stderr, "burner: CPU %d: %s\n", self->cpu, strerror(errno));
		exit(1);
	}
	if (fifo_priority) {
		const struct sched_param parameter = { .sched_priority = fifo_priority };
		int error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameter);

		if (error) {
			fprintf(stderr, "burner: SCHED_FIFO %d: %s\n", fifo_priority, strerror(error));
			exit(1);
		}
	}
	atomic_fetch_add(&spinning, 1);
	if (every_ns)
		spin_in_bursts();
	spin_without_end();
	return NULL;
}

static long number(const char *text, long least, long most)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end || value < least || value > most) {
		fprintf(stderr, "burner: '%s' is not a number from %ld to %ld\n", text, least, most);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	long threads = 0, nice_value = 0, seconds = 0, busy_ms = 0, every_ms = 0;
	cpu_set_t allowed;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--all-cpus")) {
			threads = -1;
		} else if (i + 1 < argc && !strcmp(argv[i], "--threads")) {
			threads = number(argv[++i], 1, 1024);
		} else if (i + 1 < argc && !strcmp(argv[i], "--nice")) {
			nice_value = number(argv[++i], -20, 19);
		} else if (i + 1 < argc && !strcmp(argv[i], "--fifo")) {
			fifo_priority = (int)number(argv[++i], 1, 99);
		} else if (i + 1 < argc && !strcmp(argv[i], "--busy-ms")) {
			busy_ms = number(argv[++i], 1, 60000);
		} else if (i + 1 < argc && !strcmp(argv[i], "--every-ms")) {
			every_ms = number(argv[++i], 1, 60000);
		} else if (i + 1 < argc && !strcmp(argv[i], "--seconds")) {
			seconds = number(argv[++i], 1, 86400);
		} else {
			threads = 0;
			break;
		}
	}
	if (!threads || !busy_ms != !every_ms || busy_ms > every_ms) {
		fprintf(stderr, "usage: burner --all-cpus | --threads N [--nice N] [--fifo PRIORITY]"
				" [--busy-ms N --every-ms N] [--seconds N]\n");
		return 2;
	}
	busy_ns = busy_ms * 1000000LL;
	every_ns = every_ms * 1000000LL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == 1)
		return 1; /* the parent is gone already */
	if (nice_value && setpriority(PRIO_PROCESS, 0, (int)nice_value)) {
		fprintf(stderr, "burner: nice %ld: %s\n", nice_value, strerror(errno));
		return 1;
	}
	if (sched_getaffinity(0, sizeof(allowed), &allowed)) {
		perror("burner: sched_getaffinity");
		return 1;
	}
	if (threads < 0 || threads > CPU_COUNT(&allowed))
		threads = CPU_COUNT(&allowed);
	struct spinner *spinners = calloc((size_t)threads, sizeof(*spinners));
	int cpu = 0;

	if (!spinners)
		return 1;
	for (long i = 0; i < threads; i++, cpu++) {
		while (!CPU_ISSET(cpu, &allowed))
			cpu++;
		spinners[i].cpu = cpu;
		if (pthread_create(&spinners[i].thread, NULL, spin, &spinners[i])) {
			fprintf(stderr, "burner: no thread for CPU %d\n", cpu);
			return 1;
		}
	}
	while (atomic_load(&spinning) < threads)
		usleep(1000);
	printf("ready %ld\n", threads);
	fflush(stdout);
	host_is_gone(seconds ? (int)seconds * 1000 : -1);
	return 0;
}
