/* SPDX-License-Identifier: Apache-2.0 */
#include "pagecontent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Random and constant bytes take turns in runs of this length, far below the window of any compressor. */
#define RUN_BYTES 512

/* splitmix64 (Steele, Lea, Flood 2014): every bit of the state moves every bit of the result. */
static uint64_t mix64(uint64_t value)
{
	value += 0x9e3779b97f4a7c15u;
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

size_t content_page_bytes(void)
{
	static size_t bytes;

	if (bytes)
		return bytes;
#ifdef CONTENT_TEST_PAGE_BYTES
	bytes = CONTENT_TEST_PAGE_BYTES;
#else
	long size = sysconf(_SC_PAGESIZE);

	if (size < PROFILE_PAGE_BYTES || size > CONTENT_PAGE_MAX) {
		fprintf(stderr, "pages of %ld bytes are not known\n", size);
		exit(1);
	}
	bytes = (size_t)size;
#endif
	return bytes;
}

uint64_t content_pages(uint64_t count)
{
	uint64_t pages = count * PROFILE_PAGE_BYTES / content_page_bytes();

	return count && !pages ? 1 : pages;
}

uint64_t content_hash(uint64_t seed, uint64_t a, uint64_t b)
{
	return mix64(mix64(mix64(seed) ^ a) ^ b);
}

const char *content_parse(const char *text, struct content_mix *mix)
{
	double sum = 0;

	mix->parts = 0;
	while (*text) {
		struct content_part part = { .ratio = 1 };
		const char *colon = strchr(text, ':');
		char *end;

		if (!colon)
			return "content part without a weight";
		if (mix->parts == CONTENT_PARTS_MAX)
			return "too many content parts";
		if (!strncmp(text, "zero:", 5)) {
			part.kind = CONTENT_ZERO;
		} else if (!strncmp(text, "same:", 5)) {
			part.kind = CONTENT_SAME;
		} else if (!strncmp(text, "random:", 7)) {
			part.kind = CONTENT_RANDOM;
		} else if (!strncmp(text, "ratio", 5)) {
			part.kind = CONTENT_RATIO;
			part.ratio = strtod(text + 5, &end);
			if (end != colon || !(part.ratio >= 1 && part.ratio <= 64))
				return "content ratio not in 1 to 64";
		} else {
			return "unknown content kind";
		}
		double weight = strtod(colon + 1, &end);

		if (end == colon + 1 || !(weight >= 0 && weight <= 1))
			return "content weight not in 0 to 1";
		sum += weight;
		part.cumulated = sum;
		mix->part[mix->parts++] = part;
		if (*end == ',')
			end++;
		else if (*end)
			return "content parts are separated by commas";
		text = end;
	}
	if (!mix->parts || sum < 0.999 || sum > 1.001)
		return "content weights do not sum to 1";
	mix->part[mix->parts - 1].cumulated = 2; /* rounding must not leave a page without a kind */
	return NULL;
}

const struct content_part *content_part_of(const struct content_mix *mix, uint64_t seed, uint64_t index)
{
	double draw = (double)(content_hash(seed, index, 1) >> 11) / 9007199254740992.0; /* 2^53 */
	size_t number = 0;

	while (draw >= mix->part[number].cumulated)
		number++;
	return &mix->part[number];
}

/* How many leading words of each run are random. */
static size_t random_words(const struct content_part *part)
{
	if (part->kind == CONTENT_RANDOM)
		return RUN_BYTES / sizeof(uint64_t);
	if (part->kind != CONTENT_RATIO)
		return 0;
	size_t words = (size_t)(RUN_BYTES / sizeof(uint64_t) / part->ratio + 0.5);

	return words ? words : 1;
}

static void generate(const struct content_mix *mix, uint64_t seed, uint64_t index, uint32_t version,
		     uint64_t *out)
{
	const size_t words = content_page_bytes() / sizeof(uint64_t);
	const struct content_part *part = content_part_of(mix, seed, index);
	uint64_t state = content_hash(seed, index, 2 + (uint64_t)version);
	size_t random = random_words(part);

	if (part->kind == CONTENT_ZERO) {
		memset(out, 0, words * sizeof(uint64_t));
		return;
	}
	if (part->kind == CONTENT_SAME) {
		for (size_t i = 0; i < words; i++)
			out[i] = state;
		return;
	}
	const size_t run = RUN_BYTES / sizeof(uint64_t);
	uint64_t constant = state | 1; /* so that a page of another index or version never looks the same */
	uint64_t x = state | 1;

	for (size_t i = 0; i < words; i++) {
		if (i % run < random) {
			/* xorshift64 (Marsaglia 2003): cheap, and no compressor shortens it */
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			out[i] = x;
		} else {
			out[i] = constant;
		}
	}
}

void content_fill(const struct content_mix *mix, uint64_t seed, uint64_t index, uint32_t version, void *page)
{
	generate(mix, seed, index, version, page);
}

bool content_matches(const struct content_mix *mix, uint64_t seed, uint64_t index, uint32_t version,
		     const void *page)
{
	static uint64_t wanted[CONTENT_PAGE_MAX / sizeof(uint64_t)];

	generate(mix, seed, index, version, wanted);
	return !memcmp(wanted, page, content_page_bytes());
}
