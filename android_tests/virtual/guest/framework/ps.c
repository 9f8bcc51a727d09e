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
	for (ssize_t i = 0; i + 1 < size; i++)
		if (!task->command_line[i])
			task->command_line[i] = ' ';
	/* A kernel thread has no command line; Android shows its name in brackets. */
	if (size <= 0)
		snprintf(task->command_line, sizeof(task->command_line), "[%s]", task->comm);
	return true;
}

static void print_field(const struct task *task, const char *field, bool last)
{
	char text[544];
	const char *wide = NULL;

	if (!strcmp(field, "USER"))
		wide = "root";
	else if (!strcmp(field, "PID"))
		snprintf(text, sizeof(text), "%d", task->pid);
	else if (!strcmp(field, "TID"))
		snprintf(text, sizeof(text), "%d", task->tid);
	else if (!strcmp(field, "PPID"))
		snprintf(text, sizeof(text), "%d", task->ppid);
	else if (!strncmp(field, "VS", 2))
		snprintf(text, sizeof(text), "%ld", task->vsz_kb);
	else if (!strcmp(field, "RSS"))
		snprintf(text, sizeof(text), "%ld", task->rss_kb);
	else if (!strcmp(field, "PRI"))
		snprintf(text, sizeof(text), "%ld", 39 - task->priority);
	else if (!strcmp(field, "NI"))
		snprintf(text, sizeof(text), "%ld", task->nice);
	else if (!strcmp(field, "S") || !strcmp(field, "STAT"))
		snprintf(text, sizeof(text), "%c", task->state);
	else if (!strcmp(field, "COMM") || !strcmp(field, "CMD"))
		wide = task->comm;
	else
		wide = task->command_line;
	if (!wide)
		printf("%7s", text);
	else if (last)
		fputs(wide, stdout);
	else
		printf("%-16s", wide);
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
