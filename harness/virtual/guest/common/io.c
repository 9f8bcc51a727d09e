/* SPDX-License-Identifier: Apache-2.0 */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool read_full(int fd, void *buffer, size_t size)
{
	char *at = buffer;

	while (size > 0) {
		ssize_t got = read(fd, at, size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		size -= (size_t)got;
	}
	return true;
}

bool write_full(int fd, const void *buffer, size_t size)
{
	const char *at = buffer;

	while (size > 0) {
		ssize_t put = write(fd, at, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		at += put;
		size -= (size_t)put;
	}
	return true;
}

ssize_t read_file(const char *path, char *buffer, size_t size)
{
	size_t have = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	while (have + 1 < size) {
		ssize_t got = read(fd, buffer + have, size - 1 - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			close(fd);
			return -1;
		}
		if (got == 0)
			break;
		have += (size_t)got;
	}
	close(fd);
	buffer[have] = '\0';
	return (ssize_t)have;
}

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool done;

	if (fd < 0)
		return false;
	done = write_full(fd, text, strlen(text));
	return close(fd) == 0 && done;
}

void set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

void *must_alloc(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory) {
		fputs("out of memory\n", stderr);
		_exit(1);
	}
	return memory;
}
