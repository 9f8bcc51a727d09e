/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel to the host: a shared memory, and a way to stand still until the host has answered.
 *
 * While it waits, the guest's CPU is inside one instruction, so that not a nanosecond of the guest's
 * time passes and nothing else happens: what the guest does depends on what the host asks for, and
 * not on when it does.
 */
#ifndef LINK_CHANNEL_H
#define LINK_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Little-endian, at the start of the shared memory; the data follow it. */
struct header {
	uint32_t kind; /* of the order, in a reply with REPLY */
	uint32_t deadline_ms;
	uint32_t first_length; /* of the order: text or path; of the reply: standard output or content */
	uint32_t second_length; /* of the order: input or content; of the reply: standard error */
	int32_t status;
	uint32_t flags;
	uint64_t number; /* of the order: mode or offset; of the reply: duration, ns, or size */
};

#define REPLY 0x80000000u

extern struct header *header;
extern char *channel_data;
extern size_t channel_room;

/* False with a line on stderr if this machine has no channel. */
bool channel_open(void);

/* Hands over the reply and returns with the next order; no time passes in between. */
void channel_turn(void);

#endif
