/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include "../common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROCESSES 32

static struct process processes[MAX_PROCESSES];

static uint64_t boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void become_shell(const char *text, int in, int out, int err)
{
	sigset_t none;

	setsid();
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* As adbd's children: hard to kill, not impossible. */
	write_file("/proc/self/oom_score_adj", "-950");
	execl("/system/bin/sh", "sh", "-c", text, (char *)NULL);
	_exit(127);
}

static int input_file(const void *input, size_t size)
{
	int fd;

	if (!size)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd >= 0 && (!write_full(fd, input, size) || lseek(fd, 0, SEEK_SET) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

struct process *process_start(const char *text, const void *input, size_t size)
{
	struct process *process = NULL;
	int in;

	for (size_t i = 0; !process && i < MAX_PROCESSES; i++)
		if (!processes[i].pid)
			process = &processes[i];
	in = process ? input_file(input, size) : -1;
	if (in < 0)
		return NULL;
	*process = (struct process){ .out = memfd_create("output", MFD_CLOEXEC),
				     .err = memfd_create("errors", MFD_CLOEXEC),
				     .begin_ns = boot_ns() };
	process->pid = fork();
	if (process->pid == 0)
		become_shell(text, in, process->out, process->err);
	close(in);
	if (process->pid < 0 || process->out < 0 || process->err < 0) {
		process_forget(process);
		return NULL;
	}
	return process;
}

struct process *process_find(pid_t pid)
{
	for (size_t i = 0; i < MAX_PROCESSES; i++)
		if (pid > 0 && processes[i].pid == pid)
			return &processes[i];
	return NULL;
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *process = process_find(pid);

		if (!process)
			continue;
		process->ended = true;
		process->end_ns = boot_ns();
		process->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

bool process_wait(struct process *process, uint32_t deadline_ms)
{
	uint64_t limit_ns = boot_ns() + deadline_ms * (uint64_t)1000000;
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	for (;;) {
		uint64_t now_ns = boot_ns();
		struct timespec rest = { 0, 0 };

		reap();
		if (process->ended || now_ns >= limit_ns)
			return process->ended;
		rest.tv_sec = (time_t)((limit_ns - now_ns) / 1000000000);
		rest.tv_nsec = (long)((limit_ns - now_ns) % 1000000000);
		sigtimedwait(&children, NULL, &rest);
	}
}

void process_kill(struct process *process)
{
	kill(-process->pid, SIGKILL);
	process_wait(process, 5000);
}

void process_forget(struct process *process)
{
	close(process->out);
	close(process->err);
	process->pid = 0;
}
