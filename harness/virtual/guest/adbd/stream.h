/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of the current transport; each is a socket to a service process. */
#ifndef ADBD_STREAM_H
#define ADBD_STREAM_H

#include "transport.h"

#define MAX_STREAMS 256

void streams_open(struct connection *to, uint32_t remote, const char *service);
void streams_okay(struct connection *to, uint32_t local, uint32_t remote);
void streams_write(struct connection *to, uint32_t local, uint32_t remote, const void *bytes, size_t size);
void streams_close(struct connection *to, uint32_t local, uint32_t remote);

/* The transport is gone: every service sees end of file. */
void streams_drop_all(void);

/* Fills at most MAX_STREAMS entries; streams_run takes the same entries back after poll(). */
size_t streams_poll(struct pollfd *entries);
void streams_run(struct connection *to, const struct pollfd *entries, size_t count);

#endif
