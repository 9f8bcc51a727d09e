/* SPDX-License-Identifier: Apache-2.0 */
/* What an app is made of: read from its app.ini. */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

#include "pagecontent.h"

/* Pages are the kernel's. */
struct descriptor {
	uint64_t pages;
	double hot_share;
	double cold_share;
	double rewrite_share;
	struct content_mix mix;
	uint64_t seed;
	uint64_t pace_pages;
	uint64_t pace_ms;
};

/* 0, or -1 with one line in `why`. */
int descriptor_read(const char *path, struct descriptor *app, char *why, size_t room);

#endif
