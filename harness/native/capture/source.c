/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

/*
 * procfs hands out whole lines up to its buffer of one page. After less than half of that only a
 * line longer than the other half could follow, and no file that is read here has one.
 */
#define SURELY_ALL 2048

static char content[128 * 1024];

char *source_read(struct source *source)
{
	size_t have = 0;

	if (source->fd == SOURCE_UNOPENED)
		source->fd = open(source->path, O_RDONLY | O_CLOEXEC);
	if (source->fd < 0)
		return NULL;
	while (have < sizeof(content) - 1) {
		ssize_t got = pread(source->fd, content + have, sizeof(content) - 1 - have, (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			source_close(source);
			return NULL;
		}
		have += (size_t)got;
		if (!got || (have == (size_t)got && got < SURELY_ALL))
			break;
	}
	content[have] = 0;
	return content;
}

void source_close(struct source *source)
{
	if (source->fd >= 0)
		close(source->fd);
	source->fd = SOURCE_UNOPENED;
}
