/* SPDX-License-Identifier: Apache-2.0 */
/* shell, shell,v2 and exec: a shell command behind a socket. */
#include "service.h"

#include "../common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <pty.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Packet kinds of the shell v2 protocol: one byte kind, four bytes length, data. */
enum { PACKET_STDIN, PACKET_STDOUT, PACKET_STDERR, PACKET_EXIT, PACKET_CLOSE_STDIN, PACKET_WINDOW_SIZE };
#define PACKET_HEADER 5
#define CHUNK (32 * 1024)

struct pump {
	int sock; /* -1 once the host is gone */
	int child_in; /* the pty master is both child_in and child_out */
	int child_out;
	int child_err;
	bool packets;
	bool pty;
	bool close_child_in;
	unsigned char header[PACKET_HEADER];
	size_t header_have;
	uint32_t body_left;
	char window[64];
	size_t window_have;
	unsigned char in[CHUNK];
	size_t in_size, in_sent;
	unsigned char out[CHUNK + PACKET_HEADER];
	size_t out_size, out_sent;
};

static struct pump pump;

static const char *shell_path(void)
{
	return access("/system/bin/sh", X_OK) == 0 ? "/system/bin/sh" : "/bin/sh";
}

static void exec_shell(const char *command, const char *term)
{
	const char *shell = shell_path();

	setenv("TERM", term, 1);
	setenv("SHELL", shell, 1);
	if (access("/data/local/tmp", F_OK) == 0)
		setenv("TMPDIR", "/data/local/tmp", 1);
	if (chdir("/") < 0)
		_exit(126);
	if (command[0])
		execl(shell, "sh", "-c", command, (char *)NULL);
	else
		execl(shell, "-sh", (char *)NULL);
	dprintf(2, "adbd: cannot run %s: %s\n", shell, strerror(errno));
	_exit(127);
}

static pid_t start_on_pipes(const char *command, const char *term)
{
	int in[2], out[2], err[2];
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		setsid();
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		exec_shell(command, term);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	pump.child_in = in[1];
	pump.child_out = out[0];
	pump.child_err = err[0];
	return pid;
}

static pid_t start_on_pty(const char *command, const char *term)
{
	int master;
	pid_t pid = forkpty(&master, NULL, NULL, NULL);

	if (pid == 0)
		exec_shell(command, term);
	if (pid < 0)
		return -1;
	fcntl(master, F_SETFD, FD_CLOEXEC);
	pump.child_in = pump.child_out = master;
	pump.child_err = -1;
	return pid;
}

static void close_child_in(void)
{
	if (pump.child_in >= 0 && !pump.pty)
		close(pump.child_in);
	pump.child_in = -1;
	pump.in_size = pump.in_sent = 0;
}

/* The command sees SIGPIPE (or SIGHUP on a pty) when it next writes, as on a phone. */
static void host_is_gone(void)
{
	pump.out_size = pump.out_sent = 0;
	if (pump.child_out >= 0)
		close(pump.child_out);
	if (pump.child_err >= 0)
		close(pump.child_err);
	pump.child_out = pump.child_err = -1;
	if (pump.pty)
		pump.child_in = -1;
	close_child_in();
	close(pump.sock);
	pump.sock = -1;
}

static void write_to_child(void)
{
	while (pump.in_sent < pump.in_size) {
		ssize_t put = pump.child_in < 0 ? -1 : write(pump.child_in, pump.in + pump.in_sent,
							     pump.in_size - pump.in_sent);

		if (pump.child_in >= 0 && put < 0 && errno == EINTR)
			continue;
		if (pump.child_in >= 0 && put < 0 && errno == EAGAIN)
			return;
		if (put <= 0) {
			close_child_in();
			return;
		}
		pump.in_sent += (size_t)put;
	}
	pump.in_size = pump.in_sent = 0;
	if (pump.close_child_in)
		close_child_in();
}

static void end_of_packet(unsigned char kind)
{
	struct winsize size = { 0 };
	unsigned int rows, columns, x, y;

	if (kind == PACKET_CLOSE_STDIN) {
		pump.close_child_in = true;
	} else if (kind == PACKET_WINDOW_SIZE && pump.pty && pump.child_in >= 0) {
		pump.window[pump.window_have] = '\0';
		if (sscanf(pump.window, "%ux%u,%ux%u", &rows, &columns, &x, &y) == 4) {
			size.ws_row = (unsigned short)rows;
			size.ws_col = (unsigned short)columns;
			size.ws_xpixel = (unsigned short)x;
			size.ws_ypixel = (unsigned short)y;
			ioctl(pump.child_in, TIOCSWINSZ, &size);
		}
	}
	pump.header_have = pump.window_have = 0;
}

/* Takes packets apart; what belongs to the command's stdin goes into pump.in. */
static void unpack(const unsigned char *bytes, size_t size)
{
	while (size > 0 || (pump.header_have == PACKET_HEADER && pump.body_left == 0)) {
		size_t take;

		if (pump.header_have < PACKET_HEADER) {
			pump.header[pump.header_have++] = *bytes++;
			size--;
			if (pump.header_have == PACKET_HEADER)
				memcpy(&pump.body_left, pump.header + 1, sizeof(pump.body_left));
			continue;
		}
		take = size < pump.body_left ? size : pump.body_left;
		if (pump.header[0] == PACKET_STDIN) {
			memcpy(pump.in + pump.in_size, bytes, take);
			pump.in_size += take;
		} else if (pump.header[0] == PACKET_WINDOW_SIZE) {
			for (size_t i = 0; i < take && pump.window_have + 1 < sizeof(pump.window); i++)
				pump.window[pump.window_have++] = (char)bytes[i];
		}
		bytes += take;
		size -= take;
		pump.body_left -= (uint32_t)take;
		if (pump.body_left == 0)
			end_of_packet(pump.header[0]);
	}
}

static void read_from_host(void)
{
	unsigned char bytes[CHUNK];
	ssize_t got = recv(pump.sock, bytes, sizeof(bytes), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		host_is_gone();
		return;
	}
	if (pump.packets) {
		unpack(bytes, (size_t)got);
	} else {
		memcpy(pump.in, bytes, (size_t)got);
		pump.in_size = (size_t)got;
	}
	write_to_child();
}

static void write_to_host(void)
{
	while (pump.sock >= 0 && pump.out_sent < pump.out_size) {
		ssize_t put = send(pump.sock, pump.out + pump.out_sent, pump.out_size - pump.out_sent, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN)
			return;
		if (put <= 0) {
			host_is_gone();
			return;
		}
		pump.out_sent += (size_t)put;
	}
	pump.out_size = pump.out_sent = 0;
}

static void read_from_child(int *fd, unsigned char kind)
{
	size_t skip = pump.packets ? PACKET_HEADER : 0;
	ssize_t got = read(*fd, pump.out + skip, CHUNK);
	uint32_t length = (uint32_t)got;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* A pty whose last user has left reads as EIO. */
	if (got <= 0) {
		if (pump.pty)
			pump.child_in = -1;
		close(*fd);
		*fd = -1;
		return;
	}
	if (pump.packets) {
		pump.out[0] = kind;
		memcpy(pump.out + 1, &length, sizeof(length));
	}
	pump.out_size = skip + (size_t)got;
	write_to_host();
}

static void run_pump(void)
{
	while (pump.child_out >= 0 || pump.child_err >= 0 || pump.out_size) {
		bool room = !pump.out_size;
		short sock_events = (short)((pump.in_size ? 0 : POLLIN) | (pump.out_size ? POLLOUT : 0));
		struct pollfd entries[] = {
			{ .fd = sock_events ? pump.sock : -1, .events = sock_events },
			{ .fd = pump.in_size ? pump.child_in : -1, .events = POLLOUT },
			{ .fd = room ? pump.child_out : -1, .events = POLLIN },
			{ .fd = room ? pump.child_err : -1, .events = POLLIN },
		};

		if (poll(entries, 4, -1) < 0)
			continue;
		if (entries[1].revents)
			write_to_child();
		if (entries[0].revents && pump.sock >= 0 && pump.out_size)
			write_to_host();
		if (entries[0].revents && pump.sock >= 0 && !pump.in_size)
			read_from_host();
		if (entries[2].revents && pump.child_out >= 0 && !pump.out_size)
			read_from_child(&pump.child_out, PACKET_STDOUT);
		if (entries[3].revents && pump.child_err >= 0 && !pump.out_size)
			read_from_child(&pump.child_err, PACKET_STDERR);
	}
}

static void send_exit(int status)
{
	unsigned char packet[PACKET_HEADER + 1] = { PACKET_EXIT, 1 };

	packet[PACKET_HEADER] = (unsigned char)(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	set_nonblocking(pump.sock, false);
	write_full(pump.sock, packet, sizeof(packet));
}

void shell_service(int sock, const char *command, bool packets, bool pty, const char *term)
{
	int status = 0;
	pid_t pid;

	if (!packets && !pty) {
		for (int fd = 0; fd < 3; fd++)
			dup2(sock, fd);
		exec_shell(command, term);
	}
	pump.sock = sock;
	pump.packets = packets;
	pump.pty = pty;
	pid = pty ? start_on_pty(command, term) : start_on_pipes(command, term);
	if (pid < 0)
		return;
	signal(SIGPIPE, SIG_IGN);
	set_nonblocking(pump.sock, true);
	set_nonblocking(pump.child_in, true);
	set_nonblocking(pump.child_out, true);
	if (pump.child_err >= 0)
		set_nonblocking(pump.child_err, true);
	run_pump();
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (packets && pump.sock >= 0)
		send_exit(status);
}
