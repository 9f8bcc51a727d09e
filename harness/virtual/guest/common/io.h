/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUEST_IO_H
#define GUEST_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Each returns false at end of file or on an error, having retried EINTR. */
bool read_full(int fd, void *buffer, size_t size);
bool write_full(int fd, const void *buffer, size_t size);

/* Whole small file into a NUL-terminated buffer; bytes read or -1. */
ssize_t read_file(const char *path, char *buffer, size_t size);
bool write_file(const char *path, const char *text);

void set_nonblocking(int fd, bool on);

/* Ends the process with a line on stderr when memory is gone. */
void *must_alloc(size_t size);

#endif
