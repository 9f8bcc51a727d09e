/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TRIES 1000
#define BETWEEN_NS (10 * 1000 * 1000)

/* Its length, or 0 for a name that is empty or too long. */
static socklen_t address_of(const char *name, struct sockaddr_un *at)
{
	size_t length = strlen(name);

	memset(at, 0, sizeof(*at));
	at->sun_family = AF_UNIX;
	if (!length || length >= sizeof(at->sun_path)) {
		errno = EINVAL;
		return 0;
	}
	/* The leading zero byte makes it abstract: it goes with its last user. */
	memcpy(at->sun_path + 1, name, length);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

int call_listen(const char *name)
{
	struct sockaddr_un at;
	socklen_t length = address_of(name, &at);
	int fd = length ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, length) || listen(fd, 4))
		return -1;
	return fd;
}

int call_accept(int listener)
{
	int fd;

	do {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	return fd;
}

void call_answer(int caller)
{
	/* A caller that is gone has no use for it. */
	(void)!send(caller, "\n", 1, MSG_NOSIGNAL);
	close(caller);
}

static int call(const char *name, int tries)
{
	const struct timespec between = { 0, BETWEEN_NS };
	struct sockaddr_un at;
	socklen_t length = address_of(name, &at);
	int fd = length ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

	while (fd >= 0 && connect(fd, (struct sockaddr *)&at, length)) {
		if (errno != ECONNREFUSED || !--tries)
			return -1;
		nanosleep(&between, NULL);
	}
	return fd;
}

int call_and_wait(const char *program, const char *name, bool needs_answer)
{
	int fd = call(name, needs_answer ? TRIES : 1);
	char answer;
	ssize_t got;

	if (fd < 0) {
		fprintf(stderr, "%s: %s: %s\n", program, name, strerror(errno));
		return 4;
	}
	do {
		got = read(fd, &answer, 1);
	} while (got < 0 && errno == EINTR);
	if (got == 1 || !needs_answer)
		return 0;
	fprintf(stderr, "%s: %s ended before it answered\n", program, name);
	return 3;
}
