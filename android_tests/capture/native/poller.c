/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poller --period-ms N --out FILE | --once --mark NAME  [--match REGEX]... [--file PATH]...
 *
 * Samples the kernel's counters, one JSON object a line: /proc/vmstat, /proc/meminfo,
 * /proc/pressure, every zram disk, /proc/stat, schedstat of the threads whose comm matches, and
 * files that hold one number. A source that this kernel does not have is null and named in
 * "missing". Files stay open between samples: a sample must cost little beside what it measures.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define MATCH_MAX 16
#define FILE_MAX 64
#define DISK_MAX 8
#define KNOWN_MAX 4096
/* A pid may be used again under another name: look at all of them afresh this often. */
#define FULL_SCAN_EVERY 16

static regex_t patterns[MATCH_MAX];
static int pattern_count;
static const char *extra_path[FILE_MAX];
static int extra_fd[FILE_MAX];
static int extra_count;

static char in[256 * 1024];
static char *out;
static size_t out_length, out_room;
static char missing[1024];

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static void die(const char *format, ...)
{
	va_list arguments;

	fputs("poller: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static void put(const char *format, ...)
{
	for (;;) {
		va_list arguments;

		va_start(arguments, format);
		int length = vsnprintf(out + out_length, out_room - out_length, format, arguments);
		va_end(arguments);
		if (length < 0)
			die("cannot format");
		if ((size_t)length < out_room - out_length) {
			out_length += (size_t)length;
			return;
		}
		out_room = out_room * 2 + (size_t)length;
		out = realloc(out, out_room);
		if (!out)
			die("out of memory");
	}
}

static void put_string(const char *text)
{
	put("\"");
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\')
			put("\\%c", byte);
		else if (byte < 0x20 || byte >= 0x7f)
			put("\\u%04x", byte);
		else
			put("%c", byte);
	}
	put("\"");
}

static uint64_t boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void is_missing(const char *source)
{
	size_t length = strlen(missing);

	snprintf(missing + length, sizeof(missing) - length, "%s\"%s\"", length ? "," : "", source);
}

/* The whole file into `in`; its length, or -1. A file that was opened before is read from its start. */
static ssize_t read_open(int fd)
{
	size_t have = 0;

	if (fd < 0)
		return -1;
	while (have < sizeof(in) - 1) {
		ssize_t got = pread(fd, in + have, sizeof(in) - 1 - have, (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		have += (size_t)got;
	}
	in[have] = 0;
	return (ssize_t)have;
}

static ssize_t read_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	ssize_t length = read_open(fd);

	close(fd);
	return length;
}

static int open_once(int *fd, const char *path)
{
	if (*fd == -2)
		*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd;
}

/* Lines "NAME VALUE" or "NAME: VALUE kB" become "NAME":VALUE. */
static void put_table(const char *key, int *fd, const char *path)
{
	bool first = true;
	char *rest = in;

	put("\"%s\":", key);
	if (read_open(open_once(fd, path)) < 0) {
		put("null,");
		is_missing(key);
		return;
	}
	put("{");
	for (char *line; (line = strsep(&rest, "\n"));) {
		char *end = line + strcspn(line, ": ");
		char *value = end + strspn(end, ": ");

		if (end == line || !isdigit((unsigned char)*value))
			continue;
		*end = 0;
		put("%s\"%s\":%.*s", first ? "" : ",", line, (int)strspn(value, "0123456789"), value);
		first = false;
	}
	put("},");
}

static bool put_pressure(const char *resource, int *fd, bool first)
{
	char path[64];
	bool first_line = true;
	char *rest = in;

	snprintf(path, sizeof(path), "/proc/pressure/%s", resource);
	if (read_open(open_once(fd, path)) < 0)
		return false;
	put("%s\"%s\":{", first ? "" : ",", resource);
	for (char *line; (line = strsep(&rest, "\n"));) {
		char kind[16];
		double avg10;
		uint64_t total_us;

		if (sscanf(line, "%15s avg10=%lf %*s %*s total=%" SCNu64, kind, &avg10, &total_us) != 3)
			continue;
		put("%s\"%s\":{\"avg10\":%.2f,\"total_us\":%" PRIu64 "}", first_line ? "" : ",", kind, avg10,
		    total_us);
		first_line = false;
	}
	put("}");
	return true;
}

static void put_psi(void)
{
	static int fds[3] = { -2, -2, -2 };
	static const char *const resources[3] = { "memory", "cpu", "io" };
	size_t before = out_length;
	bool any = false;

	put("\"psi\":{");
	for (int i = 0; i < 3; i++)
		any |= put_pressure(resources[i], &fds[i], !any);
	if (any) {
		put("},");
		return;
	}
	out_length = before;
	put("\"psi\":null,");
	is_missing("psi");
}

static void put_numbers(const char *key, const char *text)
{
	bool first = true;

	put("\"%s\":[", key);
	for (char *end;; text = end) {
		long long value = strtoll(text, &end, 10);

		if (end == text)
			break;
		put("%s%lld", first ? "" : ",", value);
		first = false;
	}
	put("]");
}

static void put_disk(const char *disk, bool first)
{
	char path[64];

	put("%s\"%s\":{", first ? "" : ",", disk);
	snprintf(path, sizeof(path), "/sys/block/%s/mm_stat", disk);
	put_numbers("mm_stat", read_path(path) < 0 ? "" : in);
	put(",");
	snprintf(path, sizeof(path), "/sys/block/%s/io_stat", disk);
	put_numbers("io_stat", read_path(path) < 0 ? "" : in);
	snprintf(path, sizeof(path), "/sys/block/%s/disksize", disk);
	if (read_path(path) > 0)
		put(",\"disksize\":%llu", strtoull(in, NULL, 10));
	snprintf(path, sizeof(path), "/sys/block/%s/comp_algorithm", disk);
	if (read_path(path) > 0) {
		/* The chosen one stands in brackets. */
		char *chosen = strchr(in, '[');
		char *end = chosen ? strchr(chosen, ']') : NULL;

		if (end) {
			*end = 0;
			put(",\"comp_algorithm\":");
			put_string(chosen + 1);
		}
	}
	put("}");
}

static void put_zram(void)
{
	bool any = false;

	put("\"zram\":");
	for (int number = 0; number < DISK_MAX; number++) {
		char path[64], disk[16];

		snprintf(disk, sizeof(disk), "zram%d", number);
		snprintf(path, sizeof(path), "/sys/block/%s/mm_stat", disk);
		if (access(path, R_OK))
			continue;
		if (!any)
			put("{");
		put_disk(disk, !any);
		any = true;
	}
	put(any ? "}," : "null,");
	if (!any)
		is_missing("zram");
}

static bool wanted(const char *comm)
{
	for (int i = 0; i < pattern_count; i++)
		if (!regexec(&patterns[i], comm, 0, NULL, 0))
			return true;
	return false;
}

/* /proc/PID/stat into its comm and the fields behind it; NULL if the thread is gone. */
static char *thread_stat(long pid, char comm[64])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	if (read_path(path) <= 0)
		return NULL;
	char *open_paren = strchr(in, '(');
	char *close_paren = strrchr(in, ')');

	if (!open_paren || !close_paren || close_paren[1] != ' ')
		return NULL;
	*close_paren = 0;
	snprintf(comm, 64, "%s", open_paren + 1);
	return close_paren + 2;
}

static void put_switches(long pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/status", pid);
	if (read_path(path) <= 0)
		return;
	const char *willing = strstr(in, "\nvoluntary_ctxt_switches:");
	const char *forced = strstr(in, "\nnonvoluntary_ctxt_switches:");

	if (willing && forced)
		put(",\"nvcsw\":%llu,\"nivcsw\":%llu", strtoull(strchr(willing, ':') + 1, NULL, 10),
		    strtoull(strchr(forced, ':') + 1, NULL, 10));
}

static bool put_thread(long pid, bool first)
{
	char comm[64], path[64], state;
	unsigned long long utime, stime, run, wait, slices;
	char *fields = thread_stat(pid, comm);

	if (!fields || !wanted(comm))
		return false;
	if (sscanf(fields, "%c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &state, &utime, &stime) != 3)
		return false;
	put("%s{\"tid\":%ld,\"comm\":", first ? "" : ",", pid);
	put_string(comm);
	put(",\"state\":\"%c\",\"utime_ticks\":%llu,\"stime_ticks\":%llu", state, utime, stime);
	snprintf(path, sizeof(path), "/proc/%ld/schedstat", pid);
	if (read_path(path) > 0 && sscanf(in, "%llu %llu %llu", &run, &wait, &slices) == 3)
		put(",\"run_ns\":%llu,\"wait_ns\":%llu,\"slices\":%llu", run, wait, slices);
	else
		put(",\"run_ns\":null,\"wait_ns\":null,\"slices\":null");
	put_switches(pid);
	put("}");
	return true;
}

static bool known_other(long pid, bool remember)
{
	static long known[KNOWN_MAX];
	long *place = &known[pid % KNOWN_MAX];

	if (remember)
		*place = pid;
	return *place == pid;
}

static void put_threads(unsigned number)
{
	static DIR *proc;
	bool first = true;

	if (!proc)
		proc = opendir("/proc");
	if (!proc)
		die("/proc: %s", strerror(errno));
	rewinddir(proc);
	put("\"threads\":[");
	for (struct dirent *entry; pattern_count && (entry = readdir(proc));) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (end == entry->d_name || *end)
			continue;
		if (number % FULL_SCAN_EVERY && known_other(pid, false))
			continue;
		if (put_thread(pid, first))
			first = false;
		else
			known_other(pid, true);
	}
	put("],");
}

static void put_stat(void)
{
	static int fd = -2;

	if (read_open(open_once(&fd, "/proc/stat")) < 0) {
		put("\"stat\":null,");
		is_missing("stat");
		return;
	}
	const char *switches = strstr(in, "\nctxt ");
	const char *softirq = strstr(in, "\nsoftirq ");

	put("\"stat\":{");
	char *newline = strchr(in, '\n');
	char kept = *newline;

	*newline = 0;
	put_numbers("cpu", in + strcspn(in, " "));
	*newline = kept;
	if (switches)
		put(",\"ctxt\":%llu", strtoull(switches + 6, NULL, 10));
	put("},");
	if (softirq)
		put("\"softirq_total\":%llu,", strtoull(softirq + 9, NULL, 10));
}

static void put_extra(void)
{
	bool first = true;

	put("\"extra\":{");
	for (int i = 0; i < extra_count; i++) {
		char *end;

		if (extra_fd[i] == -2)
			extra_fd[i] = open(extra_path[i], O_RDONLY | O_CLOEXEC);
		if (read_open(extra_fd[i]) <= 0)
			continue;
		long long value = strtoll(in, &end, 10);

		if (end == in)
			continue;
		put("%s", first ? "" : ",");
		put_string(extra_path[i]);
		put(":%lld", value);
		first = false;
	}
	put("},");
}

static void sample(const char *mark, unsigned number)
{
	static int vmstat = -2, meminfo = -2;

	out_length = 0;
	missing[0] = 0;
	put("{\"t_boot_ns\":%" PRIu64 ",\"mark\":", boot_ns());
	put_string(mark);
	put(",");
	put_table("vmstat", &vmstat, "/proc/vmstat");
	put_table("meminfo_kb", &meminfo, "/proc/meminfo");
	put_psi();
	put_zram();
	put_threads(number);
	put_stat();
	put_extra();
	put("\"missing\":[%s],\"t_end_boot_ns\":%" PRIu64 "}\n", missing, boot_ns());
}

static void write_all(int fd)
{
	for (size_t done = 0; done < out_length;) {
		ssize_t got = write(fd, out + done, out_length - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			die("cannot write: %s", strerror(errno));
		done += (size_t)got;
	}
}

static void run(const char *path, long period_ms)
{
	struct timespec next;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (unsigned number = 0; !stopping; number++) {
		sample("sample", number);
		write_all(fd);
		next.tv_nsec += (period_ms % 1000) * 1000000;
		next.tv_sec += period_ms / 1000 + next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		while (!stopping && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
			;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	const char *path = NULL, *mark = NULL;
	long period_ms = 0;
	bool once = false;

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(argv[i], "--once")) {
			once = true;
			continue;
		}
		if (!value)
			die("%s needs a value, or is not known", argv[i]);
		if (!strcmp(argv[i], "--period-ms"))
			period_ms = atol(value);
		else if (!strcmp(argv[i], "--out"))
			path = value;
		else if (!strcmp(argv[i], "--mark"))
			mark = value;
		else if (!strcmp(argv[i], "--match")) {
			if (pattern_count == MATCH_MAX)
				die("too many --match");
			if (regcomp(&patterns[pattern_count++], value, REG_EXTENDED | REG_NOSUB))
				die("--match '%s' is no extended regular expression", value);
		} else if (!strcmp(argv[i], "--file")) {
			if (extra_count == FILE_MAX)
				die("too many --file");
			extra_fd[extra_count] = -2;
			extra_path[extra_count++] = value;
		} else {
			die("unknown option '%s'", argv[i]);
		}
		i++;
	}
	if (once ? !mark || path : !path || period_ms < 10)
		die("usage: poller --period-ms N --out FILE | --once --mark NAME [--match REGEX]... [--file PATH]...");
	if (once) {
		sample(mark, 0);
		write_all(STDOUT_FILENO);
		return 0;
	}
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	run(path, period_ms);
	return 0;
}
