/* SPDX-License-Identifier: Apache-2.0 */
#include "threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"
#include "source.h"

#define MATCH_MAX 16
#define THREAD_MAX 64
#define KNOWN_MAX 4096
/* A process may change its name without a new pid: look at all of them afresh this often. */
#define FULL_SCAN_EVERY 16

/* Descriptors are bound to the process, not to its number: a pid that is used again reads as gone. */
struct thread {
	long pid; /* 0: free */
	char path[3][40];
	struct source stat, schedstat, status;
};

static regex_t patterns[MATCH_MAX];
static int pattern_count;
static struct thread threads[THREAD_MAX];
static long others[KNOWN_MAX]; /* pids that were looked at and do not match */
static bool lost_one;

bool watch_threads(const char *pattern)
{
	return pattern_count < MATCH_MAX &&
	       !regcomp(&patterns[pattern_count++], pattern, REG_EXTENDED | REG_NOSUB);
}

static bool wanted(const char *comm)
{
	for (int i = 0; i < pattern_count; i++)
		if (!regexec(&patterns[i], comm, 0, NULL, 0))
			return true;
	return false;
}

static void forget(struct thread *thread)
{
	source_close(&thread->stat);
	source_close(&thread->schedstat);
	source_close(&thread->status);
	thread->pid = 0;
	lost_one = true;
}

static void follow(long pid)
{
	struct thread *thread = NULL;

	for (int i = 0; i < THREAD_MAX; i++) {
		if (threads[i].pid == pid)
			return;
		if (!threads[i].pid && !thread)
			thread = &threads[i];
	}
	if (!thread)
		return;
	static const char *const names[] = { "stat", "schedstat", "status" };
	struct source *sources[] = { &thread->stat, &thread->schedstat, &thread->status };

	thread->pid = pid;
	for (int i = 0; i < 3; i++) {
		snprintf(thread->path[i], sizeof(thread->path[i]), "/proc/%ld/%s", pid, names[i]);
		*sources[i] = (struct source)SOURCE(thread->path[i]);
	}
}

static bool matches(long pid)
{
	char path[40], comm[64];
	ssize_t got = -1;

	snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		got = read(fd, comm, sizeof(comm) - 1);
		close(fd);
	}
	if (got <= 0)
		return false;
	comm[got] = 0;
	comm[strcspn(comm, "\n")] = 0;
	return wanted(comm);
}

/* The pid that was given last, or -1: as long as it stays, there is no new process. */
static long newest_pid(void)
{
	static struct source loadavg = SOURCE("/proc/loadavg");
	const char *text = source_read(&loadavg);
	const char *last = text ? strrchr(text, ' ') : NULL;

	return last ? atol(last + 1) : -1;
}

static void scan(void)
{
	static DIR *proc;
	static long newest = -1;
	static unsigned count;
	bool full = count++ % FULL_SCAN_EVERY == 0 || lost_one;
	long now = newest_pid();

	if (!full && now >= 0 && now == newest)
		return;
	newest = now;
	lost_one = false;
	if (full)
		memset(others, 0, sizeof(others));
	if (proc)
		rewinddir(proc);
	else
		proc = opendir("/proc");
	for (struct dirent *entry; proc && (entry = readdir(proc));) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (end == entry->d_name || *end || others[pid % KNOWN_MAX] == pid)
			continue;
		if (matches(pid))
			follow(pid);
		else
			others[pid % KNOWN_MAX] = pid;
	}
}

static void add_number(struct text *out, const char *key, const char *digits)
{
	text_add(out, ",\"");
	text_add(out, key);
	text_add(out, "\":");
	add_digits(out, digits);
}

/* " ... " -> its field `number`, counted from 1; NULL if there are fewer. */
static const char *field(const char *text, int number)
{
	while (--number && text) {
		text = strchr(text, ' ');
		text += text != NULL;
	}
	return text && *text >= '0' && *text <= '9' ? text : NULL;
}

static void add_schedstat(struct text *out, struct thread *thread)
{
	static const char *const keys[] = { "run_ns", "wait_ns", "slices" };
	const char *text = source_read(&thread->schedstat);

	for (int i = 0; i < 3; i++) {
		const char *digits = text ? field(text, i + 1) : NULL;

		if (digits) {
			add_number(out, keys[i], digits);
			continue;
		}
		text_add(out, ",\"");
		text_add(out, keys[i]);
		text_add(out, "\":null");
	}
}

static void add_switches(struct text *out, struct thread *thread)
{
	static const char *const lines[] = { "\nvoluntary_ctxt_switches:\t", "\nnonvoluntary_ctxt_switches:\t" };
	static const char *const keys[] = { "nvcsw", "nivcsw" };
	const char *text = source_read(&thread->status);

	for (int i = 0; text && i < 2; i++) {
		const char *line = strstr(text, lines[i]);

		if (line)
			add_number(out, keys[i], line + strlen(lines[i]));
	}
}

/* Fields as in proc(5): the comm stands in parentheses and may hold anything but a NUL. */
static bool add_thread(struct text *out, struct thread *thread, const char *comma)
{
	char *text = source_read(&thread->stat);
	char *open_paren = text ? strchr(text, '(') : NULL;
	char *close_paren = text ? strrchr(text, ')') : NULL;

	if (!open_paren || !close_paren || close_paren[1] != ' ' || close_paren[2] == 'X')
		return false;
	*close_paren = 0;
	if (!wanted(open_paren + 1))
		return false;
	const char *utime = field(close_paren + 2, 12), *stime = field(close_paren + 2, 13);

	if (!utime || !stime)
		return false;
	text_add(out, comma);
	text_add(out, "{\"tid\":");
	text_add_number(out, (uint64_t)thread->pid);
	text_add(out, ",\"comm\":");
	text_add_string(out, open_paren + 1);
	text_add(out, ",\"state\":\"");
	text_add_bytes(out, close_paren + 2, 1);
	text_add(out, "\"");
	add_number(out, "utime_ticks", utime);
	add_number(out, "stime_ticks", stime);
	add_schedstat(out, thread);
	add_switches(out, thread);
	text_add(out, "}");
	return true;
}

void add_threads(struct text *out)
{
	const char *comma = "";

	if (pattern_count)
		scan();
	text_add(out, "\"threads\":[");
	for (int i = 0; i < THREAD_MAX; i++) {
		if (!threads[i].pid)
			continue;
		if (add_thread(out, &threads[i], comma))
			comma = ",";
		else
			forget(&threads[i]);
	}
	text_add(out, "],");
}
