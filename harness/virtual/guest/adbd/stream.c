/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include "../common/io.h"
#include "service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_PENDING (4u * ADB_MAX_PAYLOAD)

/*
 * Flow control, both ways, is one packet at a time: we read from a service only
 * when the host has acknowledged the packet before, and acknowledge the host's
 * packet only when the service has taken all of it.
 */
struct stream {
	uint32_t local; /* 0: free slot */
	uint32_t remote; /* 0: the host has closed, only `pending` is still delivered */
	int fd;
	bool host_ready;
	unsigned char *pending;
	size_t pending_size;
	size_t pending_sent;
};

static struct stream streams[MAX_STREAMS];
static uint32_t last_local;
static unsigned char out_buffer[ADB_MAX_PAYLOAD];

static struct stream *find(uint32_t local, uint32_t remote)
{
	for (size_t i = 0; local && i < MAX_STREAMS; i++)
		if (streams[i].local == local && (!remote || streams[i].remote == remote))
			return &streams[i];
	return NULL;
}

static void release(struct stream *stream)
{
	close(stream->fd);
	free(stream->pending);
	memset(stream, 0, sizeof(*stream));
	stream->fd = -1;
}

void streams_open(struct connection *to, uint32_t remote, const char *service)
{
	struct stream *stream = NULL;
	int fd;

	for (size_t i = 0; i < MAX_STREAMS && !stream; i++)
		if (!streams[i].local)
			stream = &streams[i];
	fd = stream ? service_start(service) : -1;
	if (fd < 0) {
		connection_send(to, ADB_CLSE, 0, remote, NULL, 0);
		return;
	}
	set_nonblocking(fd, true);
	if (++last_local == 0)
		last_local = 1;
	*stream = (struct stream){ .local = last_local, .remote = remote, .fd = fd, .host_ready = true };
	connection_send(to, ADB_OKAY, stream->local, remote, NULL, 0);
}

void streams_okay(struct connection *to, uint32_t local, uint32_t remote)
{
	struct stream *stream = find(local, remote);

	(void)to;
	if (stream)
		stream->host_ready = true;
}

/* Hands the service what it takes now; true when nothing is left. */
static bool deliver(struct stream *stream)
{
	while (stream->pending_sent < stream->pending_size) {
		ssize_t put = send(stream->fd, stream->pending + stream->pending_sent,
				   stream->pending_size - stream->pending_sent, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return false;
		if (put <= 0)
			break; /* the service no longer reads: the rest is nobody's */
		stream->pending_sent += (size_t)put;
	}
	free(stream->pending);
	stream->pending = NULL;
	stream->pending_size = stream->pending_sent = 0;
	return true;
}

static bool append(struct stream *stream, const void *bytes, size_t size)
{
	size_t left = stream->pending_size - stream->pending_sent;
	unsigned char *joined;

	if (left + size > MAX_PENDING)
		return false;
	joined = must_alloc(left + size + 1);
	if (left)
		memcpy(joined, stream->pending + stream->pending_sent, left);
	memcpy(joined + left, bytes, size);
	free(stream->pending);
	stream->pending = joined;
	stream->pending_size = left + size;
	stream->pending_sent = 0;
	return true;
}

void streams_write(struct connection *to, uint32_t local, uint32_t remote, const void *bytes, size_t size)
{
	struct stream *stream = find(local, remote);

	if (!stream) {
		connection_send(to, ADB_CLSE, 0, remote, NULL, 0);
		return;
	}
	/*
	 * At its end of file adb sends the rest without waiting for OKAY, and CLSE right behind:
	 * so it is kept, up to a bound that only a broken host passes.
	 */
	if (!append(stream, bytes, size)) {
		connection_send(to, ADB_CLSE, local, remote, NULL, 0);
		release(stream);
		return;
	}
	if (deliver(stream))
		connection_send(to, ADB_OKAY, local, remote, NULL, 0);
}

void streams_close(struct connection *to, uint32_t local, uint32_t remote)
{
	struct stream *stream = find(local, 0);

	if (!stream || (remote && stream->remote != remote))
		return;
	connection_send(to, ADB_CLSE, local, remote, NULL, 0);
	if (stream->pending)
		stream->remote = 0;
	else
		release(stream);
}

void streams_drop_all(void)
{
	for (size_t i = 0; i < MAX_STREAMS; i++)
		if (streams[i].local)
			release(&streams[i]);
}

size_t streams_poll(struct pollfd *entries)
{
	size_t count = 0;

	for (size_t i = 0; i < MAX_STREAMS; i++) {
		struct stream *stream = &streams[i];
		short events = 0;

		if (!stream->local)
			continue;
		if (stream->remote && stream->host_ready)
			events |= POLLIN;
		if (stream->pending)
			events |= POLLOUT;
		if (events)
			entries[count++] = (struct pollfd){ .fd = stream->fd, .events = events };
	}
	return count;
}

static void run(struct connection *to, struct stream *stream, short revents)
{
	if (stream->pending && (revents & (POLLOUT | POLLHUP | POLLERR)) && deliver(stream)) {
		if (!stream->remote) {
			release(stream);
			return;
		}
		connection_send(to, ADB_OKAY, stream->local, stream->remote, NULL, 0);
	}
	if (stream->remote && stream->host_ready && (revents & (POLLIN | POLLHUP | POLLERR))) {
		size_t room = connection_max_payload(to);
		ssize_t got = recv(stream->fd, out_buffer, room < sizeof(out_buffer) ? room : sizeof(out_buffer), 0);

		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return;
		if (got <= 0) {
			connection_send(to, ADB_CLSE, stream->local, stream->remote, NULL, 0);
			release(stream);
			return;
		}
		stream->host_ready = false;
		connection_send(to, ADB_WRTE, stream->local, stream->remote, out_buffer, (size_t)got);
	}
}

void streams_run(struct connection *to, const struct pollfd *entries, size_t count)
{
	for (size_t entry = 0; entry < count; entry++) {
		if (!entries[entry].revents)
			continue;
		for (size_t i = 0; i < MAX_STREAMS; i++)
			if (streams[i].local && streams[i].fd == entries[entry].fd) {
				run(to, &streams[i], entries[entry].revents);
				break;
			}
	}
}
