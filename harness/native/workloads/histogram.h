/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies in buckets that are a quarter of an octave wide or narrower. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_BUCKETS 256

struct histogram {
	uint64_t count[HISTOGRAM_BUCKETS];
	uint64_t total_ns;
	uint64_t max_ns;
};

void histogram_add(struct histogram *histogram, uint64_t ns);

/* Members of a JSON object: "total_ns", "max_ns", and "buckets":[[least ns, count],...] of those in use. */
void histogram_print(const struct histogram *histogram, FILE *out);

#endif
