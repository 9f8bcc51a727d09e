/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that the host ordered. */
#ifndef LINK_PROCESS_H
#define LINK_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	pid_t pid; /* 0: a free place */
	int out, err;
	bool ended;
	int status;
	uint64_t begin_ns, end_ns;
};

/*
 * Runs shell text with `input` on its standard input. Its output goes to memory files: the link does
 * not wake while it runs. NULL if there is no memory or no place.
 */
struct process *process_start(const char *text, const void *input, size_t size);

struct process *process_find(pid_t pid);

/* Whether it ended within the time. */
bool process_wait(struct process *process, uint32_t deadline_ms);

/* Ends it, and all of its session that still has its process group. */
void process_kill(struct process *process);

void process_forget(struct process *process);

#endif
