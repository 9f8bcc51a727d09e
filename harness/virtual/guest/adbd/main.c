/* SPDX-License-Identifier: Apache-2.0 */
/* adbd [--port N] [--listen ADDRESS]: the device side of adb, over TCP, for one host at a time. */
#include "../common/io.h"
#include "../common/props.h"
#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CANDIDATES 8

static struct connection *transport;
static struct connection *candidates[MAX_CANDIDATES];

static void reap(int signal_number)
{
	int saved = errno;

	(void)signal_number;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

static void send_banner(struct connection *to)
{
	char banner[1024];
	char name[PROP_VALUE_MAX], model[PROP_VALUE_MAX], device[PROP_VALUE_MAX];
	int size;

	prop_get("ro.product.name", name, sizeof(name), "virtual");
	prop_get("ro.product.model", model, sizeof(model), "virtual");
	prop_get("ro.product.device", device, sizeof(device), "virtual");
	size = snprintf(banner, sizeof(banner),
			"device::ro.product.name=%s;ro.product.model=%s;ro.product.device=%s;"
			"features=shell_v2,cmd,stat_v2,ls_v2,sendrecv_v2",
			name, model, device);
	connection_send(to, ADB_CNXN, ADB_VERSION, ADB_MAX_PAYLOAD, banner, (size_t)size);
}

static void handle(struct connection *from, const struct packet *packet, const void *payload)
{
	switch (packet->command) {
	case ADB_CNXN:
		streams_drop_all();
		connection_set_online(from, packet->arg0, packet->arg1);
		send_banner(from);
		break;
	case ADB_OPEN:
		streams_open(from, packet->arg0, payload);
		break;
	case ADB_OKAY:
		streams_okay(from, packet->arg1, packet->arg0);
		break;
	case ADB_WRTE:
		streams_write(from, packet->arg1, packet->arg0, payload, packet->length);
		break;
	case ADB_CLSE:
		streams_close(from, packet->arg1, packet->arg0);
		break;
	default:
		break; /* a newer host may know more; what we did not announce it does not need */
	}
}

static int listen_on(const char *address, int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int yes = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 8) < 0) {
		close(fd);
		return -1;
	}
	set_nonblocking(fd, true);
	return fd;
}

static void accept_candidate(int listener)
{
	int yes = 1;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	/* The oldest silent one makes room. */
	if (candidates[MAX_CANDIDATES - 1])
		connection_free(candidates[MAX_CANDIDATES - 1]);
	memmove(candidates + 1, candidates, sizeof(candidates) - sizeof(candidates[0]));
	candidates[0] = connection_new(fd);
}

static void drop_transport(void)
{
	streams_drop_all();
	if (transport)
		connection_free(transport);
	transport = NULL;
}

static void read_candidate(size_t index)
{
	struct connection *candidate = candidates[index];

	if (!connection_read(candidate, handle)) {
		connection_free(candidate);
		candidates[index] = NULL;
	} else if (connection_online(candidate)) {
		candidates[index] = NULL;
		if (transport)
			connection_free(transport);
		transport = candidate;
	}
}

static void serve(int listener)
{
	static struct pollfd entries[1 + MAX_CANDIDATES + 1 + MAX_STREAMS];

	for (;;) {
		size_t count = 0, streams = 0, stream_base;

		entries[count++] = (struct pollfd){ .fd = listener, .events = POLLIN };
		for (size_t i = 0; i < MAX_CANDIDATES; i++)
			entries[count++] = candidates[i] ? connection_poll(candidates[i]) : (struct pollfd){ .fd = -1 };
		entries[count++] = transport ? connection_poll(transport) : (struct pollfd){ .fd = -1 };
		stream_base = count;
		if (transport)
			streams = streams_poll(entries + stream_base);
		if (poll(entries, count + streams, -1) < 0)
			continue;

		/* Services first: their entries name file descriptors that the packets below may close. */
		if (transport)
			streams_run(transport, entries + stream_base, streams);
		if (transport && entries[stream_base - 1].revents &&
		    (!connection_flush(transport) || !connection_read(transport, handle)))
			drop_transport();
		for (size_t i = 0; i < MAX_CANDIDATES; i++)
			if (candidates[i] && entries[1 + i].revents)
				read_candidate(i);
		if (entries[0].revents)
			accept_candidate(listener);
	}
}

int main(int argc, char **argv)
{
	const char *address = "0.0.0.0";
	int port = 5555;
	int listener;
	struct sigaction on_child = { .sa_handler = reap, .sa_flags = SA_RESTART | SA_NOCLDSTOP };

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--port"))
			port = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--listen"))
			address = argv[i + 1];
	}
	sigaction(SIGCHLD, &on_child, NULL);
	signal(SIGPIPE, SIG_IGN);
	listener = listen_on(address, port);
	if (listener < 0) {
		fprintf(stderr, "adbd: cannot listen on %s:%d: %s\n", address, port, strerror(errno));
		return 1;
	}
	/* An answer from a pressed device must not wait for our own pages to come back from swap. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		fprintf(stderr, "adbd: pages are not locked: %s\n", strerror(errno));
	/* The first line tells a parent that connections are accepted from here on. */
	puts("listening");
	fflush(stdout);
	serve(listener);
}
