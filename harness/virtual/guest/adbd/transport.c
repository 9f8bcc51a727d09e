/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include "../common/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct outgoing {
	struct outgoing *next;
	size_t size;
	size_t sent;
	unsigned char bytes[];
};

struct connection {
	int fd;
	bool online;
	bool broken;
	bool checksums;
	uint32_t max_payload;
	struct packet header;
	size_t header_have;
	unsigned char *payload;
	size_t payload_have;
	struct outgoing *first;
	struct outgoing *last;
};

struct connection *connection_new(int fd)
{
	struct connection *connection = must_alloc(sizeof(*connection));

	set_nonblocking(fd, true);
	connection->fd = fd;
	connection->checksums = true;
	connection->max_payload = 4096;
	return connection;
}

void connection_free(struct connection *connection)
{
	struct outgoing *item = connection->first;

	while (item) {
		struct outgoing *next = item->next;

		free(item);
		item = next;
	}
	close(connection->fd);
	free(connection->payload);
	free(connection);
}

struct pollfd connection_poll(const struct connection *connection)
{
	short events = POLLIN | (connection->first ? POLLOUT : 0);

	return (struct pollfd){ .fd = connection->fd, .events = events };
}

uint32_t connection_max_payload(const struct connection *connection)
{
	return connection->max_payload;
}

bool connection_online(const struct connection *connection)
{
	return connection->online;
}

void connection_set_online(struct connection *connection, uint32_t peer_version, uint32_t peer_max_payload)
{
	connection->online = true;
	connection->checksums = peer_version < ADB_VERSION;
	connection->max_payload = peer_max_payload < ADB_MAX_PAYLOAD ? peer_max_payload : ADB_MAX_PAYLOAD;
}

static uint32_t checksum(const unsigned char *bytes, size_t size)
{
	uint32_t sum = 0;

	while (size--)
		sum += *bytes++;
	return sum;
}

bool connection_flush(struct connection *connection)
{
	while (connection->first && !connection->broken) {
		struct outgoing *item = connection->first;
		ssize_t put = send(connection->fd, item->bytes + item->sent, item->size - item->sent, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (put <= 0) {
			connection->broken = true;
			break;
		}
		item->sent += (size_t)put;
		if (item->sent == item->size) {
			connection->first = item->next;
			if (!connection->first)
				connection->last = NULL;
			free(item);
		}
	}
	return !connection->broken;
}

void connection_send(struct connection *connection, uint32_t command, uint32_t arg0, uint32_t arg1,
		     const void *payload, size_t length)
{
	struct packet header = {
		.command = command,
		.arg0 = arg0,
		.arg1 = arg1,
		.length = (uint32_t)length,
		.checksum = connection->checksums ? checksum(payload, length) : 0,
		.magic = ~command,
	};
	struct outgoing *item = must_alloc(sizeof(*item) + sizeof(header) + length);

	item->size = sizeof(header) + length;
	memcpy(item->bytes, &header, sizeof(header));
	if (length)
		memcpy(item->bytes + sizeof(header), payload, length);
	if (connection->last)
		connection->last->next = item;
	else
		connection->first = item;
	connection->last = item;
	connection_flush(connection);
}

static bool header_is_sane(const struct connection *connection)
{
	const struct packet *header = &connection->header;

	return header->magic == ~header->command && header->length <= ADB_MAX_PAYLOAD &&
	       (connection->online || header->command == ADB_CNXN);
}

static bool payload_is_sane(const struct connection *connection)
{
	const struct packet *header = &connection->header;

	return !connection->online || !connection->checksums ||
	       checksum(connection->payload, header->length) == header->checksum;
}

/* One read step; 1 got bytes, 0 nothing there now, -1 gone. */
static int receive(struct connection *connection, void *buffer, size_t size, size_t *have)
{
	ssize_t got = recv(connection->fd, (char *)buffer + *have, size - *have, 0);

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	if (got <= 0)
		return -1;
	*have += (size_t)got;
	return 1;
}

bool connection_read(struct connection *connection, packet_handler handler)
{
	/* A bounded number of packets, so that one busy host does not starve the services. */
	for (int packets = 0; packets < 16 && !connection->broken;) {
		int step;

		if (connection->header_have < sizeof(connection->header)) {
			step = receive(connection, &connection->header, sizeof(connection->header),
				       &connection->header_have);
			if (step <= 0)
				return step == 0;
			if (connection->header_have < sizeof(connection->header))
				continue;
			if (!header_is_sane(connection))
				return false;
			connection->payload = must_alloc((size_t)connection->header.length + 1);
			connection->payload_have = 0;
		}
		if (connection->payload_have < connection->header.length) {
			step = receive(connection, connection->payload, connection->header.length,
				       &connection->payload_have);
			if (step <= 0)
				return step == 0;
			if (connection->payload_have < connection->header.length)
				continue;
		}
		if (!payload_is_sane(connection))
			return false;
		handler(connection, &connection->header, connection->payload);
		free(connection->payload);
		connection->payload = NULL;
		connection->header_have = 0;
		packets++;
	}
	return !connection->broken;
}
