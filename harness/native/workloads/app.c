/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app PACKAGE APP.INI APP.LOG: a synthetic app with real memory.
 *
 * Reads orders on standard input (resume, recreate, pause; end of file ends it) and answers on
 * standard output: "drawn PAGES DUR_US" once the hot set has been touched (after a cold start:
 * once all memory is filled), "idle" when the use that follows is over. Which pages are touched
 * and rewritten depends only on the descriptor and on how often the app came to the front, so
 * that two kernels get the same work. Every touched page is checked before it is rewritten.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "boottime.h"
#include "descriptor.h"

#define COMM_MAX 15

struct work {
	uint64_t touched;
	uint64_t rewritten;
	uint64_t mismatches;
	uint64_t paced;
	uint64_t begin_ns;
};

static struct descriptor app;
static uint8_t *memory;
static uint32_t *versions;
static FILE *record;

static void pace(struct work *work)
{
	if (!app.pace_pages || !app.pace_ms || ++work->paced % app.pace_pages)
		return;
	struct timespec rest = { (time_t)(app.pace_ms / 1000), (long)(app.pace_ms % 1000) * 1000000 };

	while (nanosleep(&rest, &rest) && errno == EINTR)
		;
}

static void note(const char *event, const struct work *work)
{
	uint64_t now = boot_ns();

	fprintf(record,
		"{\"event\":\"%s\",\"t_boot_ns\":%" PRIu64 ",\"pages_touched\":%" PRIu64
		",\"pages_rewritten\":%" PRIu64 ",\"mismatches\":%" PRIu64 ",\"dur_us\":%" PRIu64 "}\n",
		event, now, work->touched, work->rewritten, work->mismatches, (now - work->begin_ns) / 1000);
	fflush(record);
}

static void mismatch(struct work *work, uint64_t index)
{
	work->mismatches++;
	fprintf(record,
		"{\"event\":\"mismatch\",\"t_boot_ns\":%" PRIu64 ",\"page\":%" PRIu64 ",\"version\":%u,"
		"\"pages_touched\":%" PRIu64 ",\"pages_rewritten\":%" PRIu64 ",\"mismatches\":%" PRIu64
		",\"dur_us\":0}\n",
		boot_ns(), index, versions[index], work->touched, work->rewritten, work->mismatches);
	fflush(record);
}

static uint8_t *page_at(uint64_t index)
{
	return memory + index * content_page_bytes();
}

/* A share of all cases, drawn anew for each (what, index). */
static int drawn_in(double share, uint64_t what, uint64_t index)
{
	return (double)(content_hash(app.seed ^ 0xa5a5, what, index) >> 11) / 9007199254740992.0 < share;
}

static void fill_all(struct work *work)
{
	for (uint64_t index = 0; index < app.pages; index++) {
		content_fill(&app.mix, app.seed, index, 0, page_at(index));
		work->touched++;
		pace(work);
	}
}

static void touch(struct work *work, uint64_t index, uint64_t use)
{
	if (!content_matches(&app.mix, app.seed, index, versions[index], page_at(index)))
		mismatch(work, index);
	work->touched++;
	if (drawn_in(app.rewrite_share, 1000 + use, index)) {
		versions[index]++;
		content_fill(&app.mix, app.seed, index, versions[index], page_at(index));
		work->rewritten++;
	}
	pace(work);
}

static void say_drawn(const struct work *work)
{
	printf("drawn %" PRIu64 " %" PRIu64 "\n", work->touched, (boot_ns() - work->begin_ns) / 1000);
	fflush(stdout);
}

static void say_idle(void)
{
	puts("idle");
	fflush(stdout);
}

/* Comes to the front: the hot set first, then cold pages picked at random. */
static void use_once(const char *event, uint64_t use)
{
	struct work work = { .begin_ns = boot_ns() };
	uint64_t cold = (uint64_t)((double)app.pages * app.cold_share);

	for (uint64_t index = 0; index < app.pages; index++)
		if (drawn_in(app.hot_share, 1, index))
			touch(&work, index, use);
	note(event, &work);
	say_drawn(&work);
	struct work later = { .begin_ns = boot_ns() };

	for (uint64_t pick = 0; pick < cold; pick++)
		touch(&later, content_hash(app.seed ^ 0x5a5a, use, pick) % app.pages, use);
	note("idle", &later);
	say_idle();
}

static int set_up(char **argv)
{
	char why[640];
	const char *package = argv[1];
	size_t length = strlen(package);

	prctl(PR_SET_NAME, length > COMM_MAX ? package + length - COMM_MAX : package);
	if (descriptor_read(argv[2], &app, why, sizeof(why))) {
		fprintf(stderr, "app: %s\n", why);
		return -1;
	}
	record = fopen(argv[3], "ae");
	if (!record) {
		fprintf(stderr, "app: %s: %s\n", argv[3], strerror(errno));
		return -1;
	}
	size_t bytes = app.pages * content_page_bytes();

	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	versions = calloc(app.pages, sizeof(*versions));
	if (memory == MAP_FAILED || !versions) {
		fprintf(stderr, "app: no address space for %zu bytes\n", bytes);
		return -1;
	}
	/* Huge pages would leave zram's path for single pages; a kernel without them refuses this. */
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	return 0;
}

int main(int argc, char **argv)
{
	char order[64];
	uint64_t use = 0;

	if (argc != 4) {
		fprintf(stderr, "usage: app PACKAGE APP.INI APP.LOG\n");
		return 2;
	}
	if (set_up(argv))
		return 1;
	struct work work = { .begin_ns = boot_ns() };

	fill_all(&work);
	note("start", &work);
	say_drawn(&work);
	struct work nothing = { .begin_ns = boot_ns() };

	note("idle", &nothing);
	say_idle();
	while (fgets(order, sizeof(order), stdin)) {
		order[strcspn(order, "\n")] = 0;
		if (!strcmp(order, "resume") || !strcmp(order, "recreate"))
			use_once(order, ++use);
		else if (strcmp(order, "pause"))
			fprintf(stderr, "app: unknown order '%s'\n", order);
	}
	return 0;
}
