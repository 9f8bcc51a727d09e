/* SPDX-License-Identifier: Apache-2.0 */
/* A program that a host started must not outlive it: a phone would stay hot, or full. */
#ifndef LIFETIME_H
#define LIFETIME_H

#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

/*
 * Waits up to `ms` (-1: without end) for the reader of standard output to go away. A pipe or
 * socket without a reader shows as an error or a hang-up; a file never does.
 */
static inline bool host_is_gone(int ms)
{
	struct pollfd output = { .fd = STDOUT_FILENO };

	return poll(&output, 1, ms) > 0 && output.revents & (POLLERR | POLLHUP);
}

#endif
