/* SPDX-License-Identifier: Apache-2.0 */
#include "activityd.h"

#include "../common/io.h"
#include "../common/wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS 64

struct client clients[MAX_CLIENTS];

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void send_frame(int fd, unsigned char kind, const void *bytes, size_t size)
{
	uint32_t length = (uint32_t)size;

	if (write_full(fd, &kind, 1) && write_full(fd, &length, sizeof(length)))
		write_full(fd, bytes, size);
}

static void client_free(struct client *client)
{
	if (client->out)
		fclose(client->out);
	if (client->err)
		fclose(client->err);
	free(client->out_text);
	free(client->err_text);
	close(client->fd);
	memset(client, 0, sizeof(*client));
	client->fd = -1;
}

void client_done(struct client *client, int status)
{
	unsigned char code = (unsigned char)status;

	fflush(client->out);
	fflush(client->err);
	if (client->out_size)
		send_frame(client->fd, FRAME_STDOUT, client->out_text, client->out_size);
	if (client->err_size)
		send_frame(client->fd, FRAME_STDERR, client->err_text, client->err_size);
	send_frame(client->fd, FRAME_EXIT, &code, 1);
	client_free(client);
}

static void client_accept(int listener)
{
	/* A client that does not read its answer must not hold up everyone. */
	struct timeval patience = { .tv_sec = 5 };
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < MAX_CLIENTS; i++) {
		struct client *client = &clients[i];

		if (client->fd >= 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		client->fd = fd;
		client->begin_ms = now_ms();
		client->out = open_memstream(&client->out_text, &client->out_size);
		client->err = open_memstream(&client->err_text, &client->err_size);
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void client_read(struct client *client)
{
	char *words[MAX_WORDS + 1];
	int count = 0;
	uint32_t length = 0;
	ssize_t got = recv(client->fd, client->request + client->have, sizeof(client->request) - client->have, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Also the end of a client that waits: `am start -W` was interrupted. */
	if (got <= 0) {
		client_free(client);
		return;
	}
	client->have += (size_t)got;
	if (client->have < sizeof(length))
		return;
	memcpy(&length, client->request, sizeof(length));
	if (length > REQUEST_MAX || client->have > sizeof(length) + length || length == 0) {
		client_free(client);
		return;
	}
	if (client->have < sizeof(length) + length)
		return;
	client->request[sizeof(length) + length - 1] = '\0';
	for (char *word = client->request + 4; word < client->request + 4 + length && count < MAX_WORDS;
	     word += strlen(word) + 1)
		words[count++] = word;
	words[count] = NULL;
	run_command(client, count, words);
}

static void reap(int signals)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < MAX_APPS; i++)
			if (apps[i].pid == pid)
				app_ended(&apps[i], status);
}

static int open_socket(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = ACTIVITY_SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	unlink(ACTIVITY_SOCKET);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0)
		return -1;
	return fd;
}

static void serve(int listener, int signals)
{
	static struct pollfd entries[2 + MAX_CLIENTS + MAX_APPS];

	for (;;) {
		entries[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
		entries[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
		for (size_t i = 0; i < MAX_CLIENTS; i++)
			entries[2 + i] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
		for (size_t i = 0; i < MAX_APPS; i++)
			entries[2 + MAX_CLIENTS + i] =
				(struct pollfd){ .fd = apps[i].pid ? apps[i].from_app : -1, .events = POLLIN };
		poll(entries, 2 + MAX_CLIENTS + MAX_APPS, 1000);
		/* What apps said before their end counts, so they are read before they are reaped. */
		for (size_t i = 0; i < MAX_APPS; i++)
			if (entries[2 + MAX_CLIENTS + i].revents && apps[i].pid)
				app_read(&apps[i]);
		if (entries[1].revents)
			reap(signals);
		for (size_t i = 0; i < MAX_CLIENTS; i++)
			if (entries[2 + i].revents && clients[i].fd == entries[2 + i].fd)
				client_read(&clients[i]);
		if (entries[0].revents)
			client_accept(listener);
		expire_launches();
	}
}

int main(void)
{
	sigset_t children;
	int listener, signals;

	for (size_t i = 0; i < MAX_CLIENTS; i++)
		clients[i].fd = -1;
	for (size_t i = 0; i < MAX_APPS; i++)
		apps[i].to_app = apps[i].from_app = -1;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	listener = open_socket();
	if (signals < 0 || listener < 0) {
		perror("activityd");
		return 1;
	}
	/* Launch times must not hold our own way back from swap. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		perror("activityd: pages are not locked");
	puts("serving");
	fflush(stdout);
	serve(listener, signals);
}
