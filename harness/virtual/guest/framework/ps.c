/* SPDX-License-Identifier: Apache-2.0 */
/* ps [-A] [-T] [-p PID,...] [-o FIELD,...], with the column names of Android's ps. */
#include "framework.h"

#include "../common/io.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FIELDS 16

struct task {
	int pid, tid, ppid;
	long vsz_kb, rss_kb;
	long nice, priority;
	char state;
	char comm[32];
	size_t name_length; /* of the first word of the command line */
	char command_line[512];
};

static const char *const known[] = { "USER", "PID",  "TID", "PPID", "VSZ", "VSIZE", "RSS", "PRI",
				     "NI",   "S",    "STAT", "COMM", "CMD", "NAME",  "ARGS", "CMDLINE" };

static bool read_task(struct task *task, int pid, int tid)
{
	char path[64], text[1024];
	char *open_at, *close_at;
	unsigned long vsize;
	ssize_t size;

	*task = (struct task){ .pid = pid, .tid = tid };
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (read_file(path, text, sizeof(text)) <= 0)
		return false;
	open_at = strchr(text, '(');
	close_at = strrchr(text, ')');
	if (!open_at || !close_at)
		return false;
	snprintf(task->comm, sizeof(task->comm), "%.*s", (int)(close_at - open_at - 1), open_at + 1);
	if (sscanf(close_at + 2, "%c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %ld %ld %*d %*d %*u %lu %ld",
		   &task->state, &task->ppid, &task->priority, &task->nice, &vsize, &task->rss_kb) != 6)
		return false;
	task->vsz_kb = (long)(vsize / 1024);
	task->rss_kb *= sysconf(_SC_PAGESIZE) / 1024;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	size = read_file(path, task->command_line, sizeof(task->command_line));
	task->name_length = size > 0 ? strlen(task->command_line) : sizeof(task->command_line);
	for (ssize_t i = 0; i + 1 < size; i++)
		if (!task->command_line[i])
			task->command_line[i] = ' ';
	/* A kernel thread has no command line; Android shows its name in brackets. */
	if (size <= 0)
		snprintf(task->command_line, sizeof(task->command_line), "[%s]", task->comm);
	return true;
}

static bool is(const char *field, const char *one, const char *other)
{
	return !strcmp(field, one) || !strcmp(field, other);
}

static long number_of(const struct task *task, const char *field)
{
	if (!strcmp(field, "PID"))
		return task->pid;
	if (!strcmp(field, "TID"))
		return task->tid;
	if (!strcmp(field, "PPID"))
		return task->ppid;
	if (is(field, "VSZ", "VSIZE"))
		return task->vsz_kb;
	if (!strcmp(field, "RSS"))
		return task->rss_kb;
	return !strcmp(field, "PRI") ? 39 - task->priority : task->nice;
}

/* False for a column that holds a number. */
static bool text_of(const struct task *task, const char *field, char *text, size_t size)
{
	if (!strcmp(field, "USER"))
		snprintf(text, size, "root");
	else if (is(field, "S", "STAT"))
		snprintf(text, size, "%c", task->state);
	else if (is(field, "COMM", "CMD"))
		snprintf(text, size, "%s", task->comm);
	else if (!strcmp(field, "NAME"))
		snprintf(text, size, "%.*s", (int)task->name_length, task->command_line);
	else if (is(field, "ARGS", "CMDLINE"))
		snprintf(text, size, "%s", task->command_line);
	else
		return false;
	return true;
}

static void print_field(const struct task *task, const char *field, bool last)
{
	char text[544];

	if (!text_of(task, field, text, sizeof(text)))
		printf("%7ld", number_of(task, field));
	else if (last || is(field, "S", "STAT"))
		fputs(text, stdout);
	else
		printf("%-16s", text);
	putchar(last ? '\n' : ' ');
}

static bool is_number(const char *text)
{
	return text[0] && strspn(text, "0123456789") == strlen(text);
}

static bool listed(const char *pids, int pid)
{
	for (const char *at = pids; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (atoi(at) == pid)
			return true;
	return pids == NULL;
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	return atoi((*a)->d_name) - atoi((*b)->d_name);
}

static int numeric(const struct dirent *entry)
{
	return is_number(entry->d_name);
}

static void print_process(int pid, bool threads, char **fields, size_t count)
{
	struct dirent **tasks;
	struct task task;
	char path[64];
	int found;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	found = threads ? scandir(path, &tasks, numeric, by_number) : 0;
	for (int i = 0; i < found; i++) {
		if (read_task(&task, pid, atoi(tasks[i]->d_name)))
			for (size_t f = 0; f < count; f++)
				print_field(&task, fields[f], f + 1 == count);
		free(tasks[i]);
	}
	if (!threads && read_task(&task, pid, pid))
		for (size_t f = 0; f < count; f++)
			print_field(&task, fields[f], f + 1 == count);
}

static bool is_known(char *field)
{
	for (char *c = field; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i], field))
			return true;
	return false;
}

int ps(int argc, char **argv)
{
	char plain[] = "USER,PID,PPID,VSZ,RSS,S,NAME", with_threads[] = "USER,PID,TID,PPID,VSZ,RSS,S,CMD";
	char *list = NULL, *fields[MAX_FIELDS], *pids = NULL, *rest;
	struct dirent **entries;
	size_t count = 0;
	bool threads = false;
	int found, option;

	while ((option = getopt(argc, argv, "AeTfwo:p:")) >= 0) {
		if (option == 'T')
			threads = true;
		else if (option == 'o')
			list = optarg;
		else if (option == 'p')
			pids = optarg;
		else if (option == '?')
			return 1;
	}
	if (!list)
		list = threads ? with_threads : plain;
	for (char *word = strtok_r(list, ",", &rest); word && count < MAX_FIELDS; word = strtok_r(NULL, ",", &rest)) {
		char *equals = strchr(word, '=');

		if (equals)
			*equals = '\0';
		if (!is_known(word)) {
			fprintf(stderr, "ps: bad -o %s\n", word);
			return 1;
		}
		fields[count++] = word;
	}
	for (size_t f = 0; f < count; f++)
		printf("%s%c", fields[f], f + 1 == count ? '\n' : ' ');
	found = scandir("/proc", &entries, numeric, by_number);
	for (int i = 0; i < found; i++) {
		if (listed(pids, atoi(entries[i]->d_name)))
			print_process(atoi(entries[i]->d_name), threads, fields, count);
		free(entries[i]);
	}
	return 0;
}
