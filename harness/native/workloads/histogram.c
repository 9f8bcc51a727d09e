/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <inttypes.h>
#include <stdbool.h>

/* Below 4 ns each number has its own bucket; above, the two bits behind the leading one divide an octave. */
static unsigned bucket_of(uint64_t ns)
{
	if (ns < 4)
		return (unsigned)ns;
	unsigned octave = 63 - (unsigned)__builtin_clzll(ns);

	return (octave - 1) * 4 + (unsigned)(ns >> (octave - 2) & 3);
}

static uint64_t least_of(unsigned bucket)
{
	if (bucket < 4)
		return bucket;
	return (uint64_t)(4 + bucket % 4) << (bucket / 4 - 1);
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
	histogram->count[bucket_of(ns)]++;
	histogram->total_ns += ns;
	if (ns > histogram->max_ns)
		histogram->max_ns = ns;
}

void histogram_print(const struct histogram *histogram, FILE *out)
{
	bool first = true;

	fprintf(out, "\"total_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64 ",\"buckets\":[", histogram->total_ns,
		histogram->max_ns);
	for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
		if (!histogram->count[bucket])
			continue;
		fprintf(out, "%s[%" PRIu64 ",%" PRIu64 "]", first ? "" : ",", least_of(bucket),
			histogram->count[bucket]);
		first = false;
	}
	fputs("]", out);
}
