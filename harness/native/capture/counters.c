/* SPDX-License-Identifier: Apache-2.0 */
#include "counters.h"

#include <string.h>

#include "source.h"

#define FILE_MAX 64

static struct source files[FILE_MAX];
static int file_count;

void add_missing(struct sample *sample, const char *source)
{
	if (sample->missing.length)
		text_add(&sample->missing, ",");
	text_add_string(&sample->missing, source);
}

const char *add_digits(struct text *out, const char *text)
{
	size_t sign = *text == '-';
	size_t size = strspn(text + sign, "0123456789");

	if (!size)
		return NULL;
	text_add_bytes(out, text, sign + size);
	return text + sign + size;
}

void add_null(struct sample *sample, const char *key)
{
	text_add_string(&sample->out, key);
	text_add(&sample->out, ":null,");
	add_missing(sample, key);
}

/* Lines "NAME VALUE" and "NAME: VALUE kB" become "NAME":VALUE. */
static void add_table(struct sample *sample, const char *key, struct source *source)
{
	const char *line = source_read(source);
	struct text *out = &sample->out;
	const char *comma = "";

	if (!line) {
		add_null(sample, key);
		return;
	}
	text_add_string(out, key);
	text_add(out, ":{");
	while (*line) {
		size_t name = strcspn(line, ": \n");
		const char *value = line + name + strspn(line + name, ": ");

		if (name && *value >= '0' && *value <= '9') {
			text_add(out, comma);
			text_add(out, "\"");
			text_add_bytes(out, line, name);
			text_add(out, "\":");
			value = add_digits(out, value);
			comma = ",";
		}
		line = value + strcspn(value, "\n");
		line += *line == '\n';
	}
	text_add(out, "},");
}

void add_vmstat(struct sample *sample)
{
	static struct source source = SOURCE("/proc/vmstat");

	add_table(sample, "vmstat", &source);
}

void add_meminfo(struct sample *sample)
{
	static struct source source = SOURCE("/proc/meminfo");

	add_table(sample, "meminfo_kb", &source);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static void add_pressure_line(struct text *out, const char *line, const char *comma)
{
	const char *avg10 = strstr(line, "avg10="), *total = strstr(line, "total=");

	text_add(out, comma);
	text_add(out, "\"");
	text_add_bytes(out, line, strcspn(line, " "));
	text_add(out, "\":{\"avg10\":");
	text_add_bytes(out, avg10 + 6, strspn(avg10 + 6, "0123456789."));
	text_add(out, ",\"total_us\":");
	add_digits(out, total + 6);
	text_add(out, "}");
}

void add_pressure(struct sample *sample)
{
	static const char *const names[] = { "memory", "cpu", "io" };
	static struct source sources[] = {
		SOURCE("/proc/pressure/memory"), SOURCE("/proc/pressure/cpu"), SOURCE("/proc/pressure/io")
	};
	struct text *out = &sample->out;
	const char *comma = "\"psi\":{";

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *rest = source_read(&sources[i]);
		const char *between = "";

		if (!rest)
			continue;
		text_add(out, comma);
		text_add_string(out, names[i]);
		text_add(out, ":{");
		for (char *line; (line = strsep(&rest, "\n"));) {
			if (!strstr(line, "avg10=") || !strstr(line, "total="))
				continue;
			add_pressure_line(out, line, between);
			between = ",";
		}
		text_add(out, "}");
		comma = ",";
	}
	if (*comma == ',')
		text_add(out, "},");
	else
		add_null(sample, "psi");
}

void add_numbers(struct text *out, const char *key, const char *text)
{
	const char *comma = "";

	text_add_string(out, key);
	if (!text) {
		text_add(out, ":null");
		return;
	}
	text_add(out, ":[");
	for (;;) {
		text += strspn(text, " ");
		if ((*text < '0' || *text > '9') && *text != '-')
			break;
		text_add(out, comma);
		text = add_digits(out, text);
		if (!text)
			break;
		comma = ",";
	}
	text_add(out, "]");
}

void add_stat(struct sample *sample)
{
	static struct source source = SOURCE("/proc/stat");
	struct text *out = &sample->out;
	const char *text = source_read(&source);

	if (!text) {
		add_null(sample, "stat");
		return;
	}
	const char *switches = strstr(text, "\nctxt ");
	const char *softirq = strstr(text, "\nsoftirq ");

	text_add(out, "\"stat\":{");
	add_numbers(out, "cpu", text + strcspn(text, " "));
	if (switches) {
		text_add(out, ",\"ctxt\":");
		add_digits(out, switches + 6);
	}
	text_add(out, "},");
	if (softirq) {
		text_add(out, "\"softirq_total\":");
		add_digits(out, softirq + 9);
		text_add(out, ",");
	}
}

bool watch_file(const char *path)
{
	if (file_count == FILE_MAX)
		return false;
	files[file_count++] = (struct source)SOURCE(path);
	return true;
}

void add_files(struct sample *sample)
{
	struct text *out = &sample->out;

	text_add(out, "\"extra\":{");
	for (int i = 0; i < file_count; i++) {
		const char *text = source_read(&files[i]);

		text_add(out, i ? "," : "");
		text_add_string(out, files[i].path);
		text_add(out, ":");
		if (!text || !add_digits(out, text + strspn(text, " \t"))) {
			text_add(out, "null");
			add_missing(sample, files[i].path);
		}
	}
	text_add(out, "},");
}
