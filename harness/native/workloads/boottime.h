/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of every figure: CLOCK_BOOTTIME, as in the traces. */
#ifndef BOOTTIME_H
#define BOOTTIME_H

#include <stdint.h>
#include <time.h>

static inline uint64_t boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
