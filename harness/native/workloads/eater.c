/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eater --mb N --content MIX [--seed N] [--rate-mb-s N] [--touches N] [--rewrite-share F] [--hold] [--verify]
 *       [--out FILE] [--serve NAME]
 * eater --go NAME | --end NAME
 *
 * Eats memory of known content: fills N MiB (as fast as it can, or at a rate), then touches N times
 * 4 KiB in pages picked at random, then may read all of them. Each phase prints one JSON line with its
 * pages (of page_bytes), wrong pages, and the latency of the one access that faults: in "fill" that is
 * an allocation with its stalls, in "touch" a swap-in. With --hold it says "hold" after that, keeps its
 * memory until SIGTERM, and only then verifies, so that a measurement can end in between. Ends by
 * itself, and when nobody reads its standard output any more, to which it prints unless --out names a
 * file. It offers itself to the OOM killer before all others.
 *
 * With --serve it waits for `eater --go NAME` before it fills; that command returns when the memory is
 * held (0), or when the eater has ended before (3). `eater --end NAME` ends the hold and returns when
 * the eater has ended. 4: there is no eater of that name. NAME is an abstract unix(7) socket.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>

#include "boottime.h"
#include "call.h"
#include "histogram.h"
#include "lifetime.h"
#include "pagecontent.h"

#define MB (1024 * 1024)
#define LOOK_EVERY_BYTES (4 * MB) /* between two looks at the host and the clock */

struct options {
	uint64_t mb, seed, rate_mb_s, touches;
	double rewrite_share;
	bool hold, verify;
};

struct phase {
	struct histogram latency;
	uint64_t begin_ns, pages, rewritten, mismatches;
	int64_t first_wrong;
};

static struct options options;
static struct content_mix mix;
static uint8_t *memory;
static uint32_t *versions;
static uint64_t pages;
static FILE *report;
static int listener = -1, caller = -1; /* of --serve; the caller of --go, then of --end */

static void phase_begin(struct phase *phase)
{
	memset(phase, 0, sizeof(*phase));
	phase->first_wrong = -1;
	phase->begin_ns = boot_ns();
}

static void phase_end(const struct phase *phase, const char *event)
{
	uint64_t now = boot_ns();

	fprintf(report,
		"{\"event\":\"%s\",\"t_boot_ns\":%" PRIu64 ",\"dur_us\":%" PRIu64 ",\"page_bytes\":%zu"
		",\"pages\":%" PRIu64 ",\"rewritten\":%" PRIu64 ",\"mismatches\":%" PRIu64
		",\"first_wrong\":%" PRId64 ",",
		event, phase->begin_ns, (now - phase->begin_ns) / 1000, content_page_bytes(), phase->pages,
		phase->rewritten, phase->mismatches, phase->first_wrong);
	histogram_print(&phase->latency, report);
	fputs("}\n", report);
	fflush(report);
}

static void *page_at(uint64_t index)
{
	return memory + index * content_page_bytes();
}

/* Counts a page; now and then looks whether there still is a host, and waits for the asked rate. */
static void step(struct phase *phase)
{
	if (++phase->pages % (LOOK_EVERY_BYTES / content_page_bytes()))
		return;
	if (host_is_gone(0))
		exit(1);
	if (!options.rate_mb_s)
		return;
	uint64_t due_ns = phase->pages * content_page_bytes() * 1000 / (options.rate_mb_s * MB) * 1000000;
	uint64_t gone_ns = boot_ns() - phase->begin_ns;

	if (due_ns > gone_ns) {
		uint64_t rest_ns = due_ns - gone_ns;
		struct timespec rest = { (time_t)(rest_ns / 1000000000), (long)(rest_ns % 1000000000) };

		while (nanosleep(&rest, &rest) && errno == EINTR)
			;
	}
}

static void fill(void)
{
	struct phase phase;

	phase_begin(&phase);
	for (uint64_t index = 0; index < pages; index++) {
		uint64_t begin_ns = boot_ns();

		*(volatile uint8_t *)page_at(index) = 1;
		histogram_add(&phase.latency, boot_ns() - begin_ns);
		content_fill(&mix, options.seed, index, 0, page_at(index));
		step(&phase);
	}
	phase_end(&phase, "fill");
}

static void check(struct phase *phase, uint64_t index)
{
	uint64_t begin_ns = boot_ns();

	(void)*(volatile uint8_t *)page_at(index);
	histogram_add(&phase->latency, boot_ns() - begin_ns);
	if (!content_matches(&mix, options.seed, index, versions[index], page_at(index))) {
		if (!phase->mismatches++)
			phase->first_wrong = (int64_t)index;
	}
}

static void touch(void)
{
	struct phase phase;
	uint64_t touches = content_pages(options.touches);

	phase_begin(&phase);
	for (uint64_t pick = 0; pick < touches; pick++) {
		uint64_t draw = content_hash(options.seed ^ 0x5a5a, 1, pick);
		uint64_t index = draw % pages;

		check(&phase, index);
		if ((double)(content_hash(options.seed ^ 0xa5a5, 2, pick) >> 11) / 9007199254740992.0 <
		    options.rewrite_share) {
			versions[index]++;
			content_fill(&mix, options.seed, index, versions[index], page_at(index));
			phase.rewritten++;
		}
		step(&phase);
	}
	phase_end(&phase, "touch");
}

static void verify(void)
{
	struct phase phase;

	phase_begin(&phase);
	for (uint64_t index = 0; index < pages; index++) {
		check(&phase, index);
		step(&phase);
	}
	phase_end(&phase, "verify");
}

static void hold(void)
{
	struct pollfd ends[3];
	sigset_t end;

	/* Blocked before it is said: a SIGTERM that comes at once must not kill what was filled. */
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	ends[0] = (struct pollfd){ .fd = signalfd(-1, &end, SFD_CLOEXEC), .events = POLLIN };
	ends[1] = (struct pollfd){ .fd = STDOUT_FILENO };
	ends[2] = (struct pollfd){ .fd = listener, .events = POLLIN };
	fprintf(report, "{\"event\":\"hold\",\"t_boot_ns\":%" PRIu64 "}\n", boot_ns());
	fflush(report);
	if (caller >= 0)
		call_answer(caller);
	while (poll(ends, 3, -1) < 0 && errno == EINTR)
		;
	if (ends[1].revents & (POLLERR | POLLHUP))
		exit(1);
	/* Left open: its caller waits for our end. */
	if (ends[2].revents)
		caller = call_accept(listener);
	if (ends[0].revents) {
		struct signalfd_siginfo taken;

		(void)!read(ends[0].fd, &taken, sizeof(taken));
	}
	close(ends[0].fd);
	sigprocmask(SIG_UNBLOCK, &end, NULL);
}

static void wait_for_go(void)
{
	struct pollfd calls[2] = { { .fd = listener, .events = POLLIN }, { .fd = STDOUT_FILENO } };

	while (poll(calls, 2, -1) < 0 && errno == EINTR)
		;
	if (calls[1].revents & (POLLERR | POLLHUP))
		exit(1);
	caller = call_accept(listener);
}

/* A kernel out of memory shall take this program, and none that the device needs. */
static void first_to_be_killed(void)
{
	FILE *score = fopen("/proc/self/oom_score_adj", "w");

	if (!score)
		return;
	fputs("1000", score);
	fclose(score);
}

__attribute__((noreturn)) static void refuse(const char *option, const char *value)
{
	fprintf(stderr, "eater: %s '%s' is out of range or no number\n", option, value);
	exit(2);
}

static uint64_t number(const char *option, const char *value, uint64_t most)
{
	char *end;

	errno = 0;
	uint64_t parsed = strtoull(value, &end, 10);

	if (end == value || *end || errno || *value == '-' || parsed > most)
		refuse(option, value);
	return parsed;
}

static void parse(const char *name, const char *value)
{
	const char *fault;
	char *end;

	if (!strcmp(name, "--mb")) {
		options.mb = number(name, value, 1024 * 1024);
	} else if (!strcmp(name, "--seed")) {
		options.seed = number(name, value, UINT32_MAX);
	} else if (!strcmp(name, "--rate-mb-s")) {
		options.rate_mb_s = number(name, value, 1024 * 1024);
	} else if (!strcmp(name, "--touches")) {
		options.touches = number(name, value, UINT32_MAX);
	} else if (!strcmp(name, "--rewrite-share")) {
		options.rewrite_share = strtod(value, &end);
		if (end == value || *end || !(options.rewrite_share >= 0 && options.rewrite_share <= 1))
			refuse(name, value);
	} else if (!strcmp(name, "--out")) {
		report = fopen(value, "we");
		if (!report) {
			fprintf(stderr, "eater: --out %s: %s\n", value, strerror(errno));
			exit(1);
		}
	} else if (!strcmp(name, "--serve")) {
		listener = call_listen(value);
		if (listener < 0) {
			fprintf(stderr, "eater: --serve %s: %s\n", value, strerror(errno));
			exit(1);
		}
	} else if (!strcmp(name, "--content")) {
		fault = content_parse(value, &mix);
		if (fault) {
			fprintf(stderr, "eater: --content: %s\n", fault);
			exit(2);
		}
	} else {
		fprintf(stderr, "eater: unknown option '%s'\n", name);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	report = stdout;
	if (argc == 3 && (!strcmp(argv[1], "--go") || !strcmp(argv[1], "--end")))
		return call_and_wait("eater", argv[2], argv[1][2] == 'g');
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--verify")) {
			options.verify = true;
		} else if (!strcmp(argv[i], "--hold")) {
			options.hold = true;
		} else if (i + 1 < argc) {
			parse(argv[i], argv[i + 1]);
			i++;
		} else {
			fprintf(stderr, "eater: %s needs a value, or is not known\n", argv[i]);
			return 2;
		}
	}
	if (!options.mb || !mix.parts) {
		fprintf(stderr, "usage: eater --mb N --content MIX [--seed N] [--rate-mb-s N] [--touches N] "
				"[--rewrite-share F] [--hold] [--verify] [--out FILE] [--serve NAME]\n"
				"       eater --go NAME | --end NAME\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	first_to_be_killed();
	size_t bytes = options.mb * MB;

	pages = bytes / content_page_bytes();
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	versions = calloc(pages, sizeof(*versions));
	if (memory == MAP_FAILED || !versions) {
		fprintf(stderr, "eater: no address space for %zu bytes\n", bytes);
		return 1;
	}
	/* Huge pages would leave zram's path for single pages; a kernel without them refuses this. */
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	if (listener >= 0) {
		fprintf(report, "{\"event\":\"begin\",\"page_bytes\":%zu}\n", content_page_bytes());
		fflush(report);
		wait_for_go();
	}
	fill();
	if (options.touches)
		touch();
	if (options.hold)
		hold();
	if (options.verify)
		verify();
	return 0;
}
