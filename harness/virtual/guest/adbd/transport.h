/* SPDX-License-Identifier: Apache-2.0 */
/* The wire side of adb: packets in, packets out, one host at a time. */
#ifndef ADBD_TRANSPORT_H
#define ADBD_TRANSPORT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADB_CNXN 0x4e584e43u
#define ADB_OPEN 0x4e45504fu
#define ADB_OKAY 0x59414b4fu
#define ADB_CLSE 0x45534c43u
#define ADB_WRTE 0x45545257u

/* From this protocol version on, checksums are not looked at. */
#define ADB_VERSION 0x01000001u
#define ADB_MAX_PAYLOAD (256u * 1024)

struct packet {
	uint32_t command;
	uint32_t arg0;
	uint32_t arg1;
	uint32_t length;
	uint32_t checksum;
	uint32_t magic;
};

struct connection;

/* A connection that has sent no CNXN yet is a candidate: a port probe must not end a live transport. */
struct connection *connection_new(int fd);
void connection_free(struct connection *connection);
struct pollfd connection_poll(const struct connection *connection);

typedef void (*packet_handler)(struct connection *from, const struct packet *packet, const void *payload);

/* Both return false when the connection is of no more use. */
bool connection_read(struct connection *connection, packet_handler handler);
bool connection_flush(struct connection *connection);

/* Queued if the socket is full; flow control bounds the queue. */
void connection_send(struct connection *connection, uint32_t command, uint32_t arg0, uint32_t arg1,
		     const void *payload, size_t length);

uint32_t connection_max_payload(const struct connection *connection);
bool connection_online(const struct connection *connection);
void connection_set_online(struct connection *connection, uint32_t peer_version, uint32_t peer_max_payload);

#endif
