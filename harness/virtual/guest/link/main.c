/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries out the host's orders one by one while the guest's time stands still in between: shell
 * text, background commands, and files. The host's side is harness/virtual/link.
 */
#include "channel.h"
#include "process.h"

#include "../common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum order { RUN = 1, SPAWN, LOOK, WAIT, FORGET, PUT, GET };

/* Of a reply. */
enum { ENDED = 1, KILLED_LATE = 2 };

#define TEXT_MAX (256 * 1024)

static char text[TEXT_MAX];

static size_t read_at(int fd, char *to, size_t room, off_t from)
{
	size_t have = 0;

	while (have < room) {
		ssize_t got = pread(fd, to + have, room - have, from + (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	return have;
}

static void reply_process(const struct process *process)
{
	size_t out = read_at(process->out, channel_data, channel_room, 0);

	header->status = process->ended ? process->status : 0;
	header->flags |= process->ended ? ENDED : 0;
	header->first_length = (uint32_t)out;
	header->second_length = (uint32_t)read_at(process->err, channel_data + out, channel_room - out, 0);
	header->number = process->ended ? process->end_ns - process->begin_ns : 0;
}

static void run(const char *input, size_t size)
{
	struct process *process = process_start(text, input, size);

	if (!process) {
		header->status = -ENOMEM;
		return;
	}
	if (!process_wait(process, header->deadline_ms)) {
		process_kill(process);
		header->flags |= KILLED_LATE;
	}
	reply_process(process);
	process_forget(process);
}

static void spawn(void)
{
	struct process *process = process_start(text, NULL, 0);

	header->status = process ? process->pid : -ENOMEM;
}

static void on_process(enum order order, pid_t pid)
{
	struct process *process = process_find(pid);

	if (!process) {
		header->status = -ESRCH;
		return;
	}
	process_wait(process, order == WAIT ? header->deadline_ms : 0);
	reply_process(process);
	if (order == FORGET)
		process_forget(process);
}

/* Content in parts: a part at offset 0 makes the file anew. */
static void put(mode_t mode, off_t offset, const char *content, size_t size)
{
	int fd = open(text, O_WRONLY | O_CLOEXEC | (offset ? 0 : O_CREAT | O_TRUNC), mode);

	header->status = 0;
	if (fd < 0 || lseek(fd, offset, SEEK_SET) < 0 || !write_full(fd, content, size) ||
	    (!offset && fchmod(fd, mode) < 0))
		header->status = -errno;
	if (fd >= 0 && close(fd) < 0 && !header->status)
		header->status = -errno;
}

static void get(off_t offset)
{
	struct stat facts;
	int fd = open(text, O_RDONLY | O_CLOEXEC);

	header->status = 0;
	if (fd < 0 || fstat(fd, &facts) < 0) {
		header->status = -errno;
	} else if (S_ISDIR(facts.st_mode)) {
		header->status = -EISDIR;
	} else {
		header->first_length = (uint32_t)read_at(fd, channel_data, channel_room, offset);
		header->number = (uint64_t)facts.st_size;
	}
	if (fd >= 0)
		close(fd);
}

static void carry_out(void)
{
	enum order order = header->kind;
	size_t first = header->first_length, second = header->second_length;
	uint64_t number = header->number;

	header->flags = 0;
	header->first_length = header->second_length = 0;
	if (first >= TEXT_MAX || first + second > channel_room) {
		header->status = -E2BIG;
		return;
	}
	memcpy(text, channel_data, first);
	text[first] = '\0';
	switch (order) {
	case RUN:
		run(channel_data + first, second);
		break;
	case SPAWN:
		spawn();
		break;
	case LOOK:
	case WAIT:
	case FORGET:
		on_process(order, (pid_t)number);
		break;
	case PUT:
		put((mode_t)(number >> 48), (off_t)(number & 0xffffffffffff), channel_data + first, second);
		break;
	case GET:
		get((off_t)number);
		break;
	}
}

int main(void)
{
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	if (chdir("/") < 0 || !channel_open())
		return 1;
	/* Orders must not wait for our own way back from swap. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		perror("link: pages are not locked");
	memset(header, 0, sizeof(*header));
	puts("serving");
	fflush(stdout);
	for (;;) {
		channel_turn();
		carry_out();
		header->kind |= REPLY;
	}
}
