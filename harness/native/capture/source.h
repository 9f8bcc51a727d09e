/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the kernel that are read over and over: opened once, read from their start each time. */
#ifndef SOURCE_H
#define SOURCE_H

struct source {
	const char *path;
	int fd;
};

#define SOURCE_UNOPENED (-1)
#define SOURCE(path) { (path), SOURCE_UNOPENED }

/*
 * The whole file, NUL-terminated and writable, until the next call; NULL if it cannot be read.
 * A file that could not be opened is tried again the next time.
 */
char *source_read(struct source *source);

void source_close(struct source *source);

#endif
