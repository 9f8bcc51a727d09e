/* SPDX-License-Identifier: Apache-2.0 */
/* Hands a command line to activityd and passes its answer on. */
#include "framework.h"

#include "../common/io.h"
#include "../common/wire.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool send_words(int fd, int argc, char **argv)
{
	char request[4 + REQUEST_MAX];
	uint32_t length = 0;

	for (int i = 0; i < argc; i++) {
		size_t size = strlen(argv[i]) + 1;

		if (length + size > REQUEST_MAX)
			return false;
		memcpy(request + 4 + length, argv[i], size);
		length += (uint32_t)size;
	}
	memcpy(request, &length, sizeof(length));
	return write_full(fd, request, 4 + length);
}

/* Exit status of the answer, or -1 if it breaks off. */
static int pass_answer(int fd)
{
	char bytes[4096];

	for (;;) {
		unsigned char kind;
		uint32_t left;

		if (!read_full(fd, &kind, 1) || !read_full(fd, &left, sizeof(left)))
			return -1;
		while (left > 0) {
			size_t take = left < sizeof(bytes) ? left : sizeof(bytes);

			if (!read_full(fd, bytes, take))
				return -1;
			if (kind == FRAME_EXIT)
				return (unsigned char)bytes[0];
			write_full(kind == FRAME_STDOUT ? 1 : 2, bytes, take);
			left -= (uint32_t)take;
		}
	}
}

int ask_activityd(int argc, char **argv)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = ACTIVITY_SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int status;

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		fprintf(stderr, "%s: activityd does not answer\n", argv[0]);
		return 20;
	}
	if (!send_words(fd, argc, argv)) {
		fprintf(stderr, "%s: command line too long\n", argv[0]);
		return 1;
	}
	status = pass_answer(fd);
	if (status < 0) {
		fprintf(stderr, "%s: activityd broke off its answer\n", argv[0]);
		return 20;
	}
	return status;
}
