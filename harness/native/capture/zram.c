/* SPDX-License-Identifier: Apache-2.0 */
#include "counters.h"

#include <stdio.h>
#include <string.h>

#include "source.h"

#define DISK_MAX 8

struct disk {
	char name[16];
	char path[4][48];
	struct source mm_stat, io_stat, disksize, comp_algorithm;
};

static void disk_name(struct disk *disk, int number)
{
	struct source *sources[] = { &disk->mm_stat, &disk->io_stat, &disk->disksize, &disk->comp_algorithm };
	static const char *const names[] = { "mm_stat", "io_stat", "disksize", "comp_algorithm" };

	snprintf(disk->name, sizeof(disk->name), "zram%d", number);
	for (int i = 0; i < 4; i++) {
		snprintf(disk->path[i], sizeof(disk->path[i]), "/sys/block/zram%d/%s", number, names[i]);
		*sources[i] = (struct source)SOURCE(disk->path[i]);
	}
}

static bool add_disk(struct text *out, struct disk *disk, const char *comma)
{
	char *text = source_read(&disk->mm_stat);

	if (!text)
		return false;
	text_add(out, comma);
	text_add_string(out, disk->name);
	text_add(out, ":{");
	add_numbers(out, "mm_stat", text);
	text_add(out, ",");
	add_numbers(out, "io_stat", source_read(&disk->io_stat));
	text = source_read(&disk->disksize);
	if (text && *text >= '0' && *text <= '9') {
		text_add(out, ",\"disksize\":");
		add_digits(out, text);
	}
	text = source_read(&disk->comp_algorithm);
	/* The chosen one stands in brackets. */
	char *chosen = text ? strchr(text, '[') : NULL;
	char *end = chosen ? strchr(chosen, ']') : NULL;

	if (end) {
		*end = 0;
		text_add(out, ",\"comp_algorithm\":");
		text_add_string(out, chosen + 1);
	}
	text_add(out, "}");
	return true;
}

void add_zram(struct sample *sample)
{
	static struct disk disks[DISK_MAX];
	const char *comma = "\"zram\":{";

	for (int number = 0; number < DISK_MAX; number++) {
		if (!disks[number].name[0])
			disk_name(&disks[number], number);
		if (add_disk(&sample->out, &disks[number], comma))
			comma = ",";
	}
	if (*comma == ',')
		text_add(&sample->out, "},");
	else
		add_null(sample, "zram");
}
