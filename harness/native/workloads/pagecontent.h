/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page contents of known compressibility, reproducible from (seed, page index, version), so that
 * a page read back can be checked word by word.
 */
#ifndef PAGECONTENT_H
#define PAGECONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTENT_PAGE_MAX 65536
#define CONTENT_PARTS_MAX 8
/* Profiles and options count pages in this unit, whatever the kernel's page size. */
#define PROFILE_PAGE_BYTES 4096

enum content_kind {
	CONTENT_ZERO,	/* all zero: the kernel may keep no slot for it */
	CONTENT_SAME,	/* one repeated word: zram keeps only the word */
	CONTENT_RATIO,	/* compresses by about the given ratio */
	CONTENT_RANDOM, /* does not compress */
};

struct content_part {
	enum content_kind kind;
	double ratio;
	double cumulated; /* share of pages up to and with this part */
};

struct content_mix {
	size_t parts;
	struct content_part part[CONTENT_PARTS_MAX];
};

/* "zero:0.05,same:0.1,ratio2.5:0.45,random:0.4"; weights must sum to 1. NULL, or what is wrong. */
const char *content_parse(const char *text, struct content_mix *mix);

/* The kernel's page size in bytes, at most CONTENT_PAGE_MAX; a content is that of a whole page. */
size_t content_page_bytes(void);

/* `count` pages of a profile in pages of the kernel; at least 1 unless it is 0. */
uint64_t content_pages(uint64_t count);

/* A well mixed 64-bit value for each (seed, a, b). */
uint64_t content_hash(uint64_t seed, uint64_t a, uint64_t b);

/* Which kind a page is: by index alone, so that a rewrite does not change the mix. */
const struct content_part *content_part_of(const struct content_mix *mix, uint64_t seed, uint64_t index);

/* `page` has content_page_bytes() bytes. */
void content_fill(const struct content_mix *mix, uint64_t seed, uint64_t index, uint32_t version, void *page);

/* Whether a page holds just what content_fill wrote. */
bool content_matches(const struct content_mix *mix, uint64_t seed, uint64_t index, uint32_t version,
		     const void *page);

#endif
