/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include "../common/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __x86_64__
#include <sys/io.h>
#endif

#define DEVICES "/sys/bus/pci/devices"

struct header *header;
char *channel_data;
size_t channel_room;

#ifdef __aarch64__

/* Write-combining: unaligned access is allowed to it, and not to device memory. */
#define MEMORY "resource2_wc"

/*
 * Semihosting (Arm, "Semihosting for AArch32 and AArch64"): QEMU carries out the call inside the
 * instruction, and a read from a pipe returns when the host has written.
 */
enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_READ = 0x06 };
enum { OPEN_READ_BINARY = 1, OPEN_WRITE_BINARY = 5 };

static long orders, replies;

static long semihosting(long operation, long first, long second, long third)
{
	long block[3] = { first, second, third };
	register long x0 __asm__("x0") = operation;
	register long *x1 __asm__("x1") = block;

	__asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
	return x0;
}

/* In this order on the host's side as well: opening a pipe waits for its other end. */
static bool open_turns(void)
{
	static const char from_host[] = "to-guest", to_host[] = "from-guest";

	orders = semihosting(SYS_OPEN, (long)from_host, OPEN_READ_BINARY, sizeof(from_host) - 1);
	replies = semihosting(SYS_OPEN, (long)to_host, OPEN_WRITE_BINARY, sizeof(to_host) - 1);
	return orders >= 0 && replies >= 0;
}

void channel_turn(void)
{
	char byte = '.';

	semihosting(SYS_WRITE, replies, (long)&byte, 1);
	semihosting(SYS_READ, orders, (long)&byte, 1);
}

#else

#define MEMORY "resource2"

/*
 * QEMU's debug console: a write to its port returns when the host's pipe has taken the byte, so the
 * byte that does not fit waits until the host reads.
 */
#define DEBUG_PORT 0xe9
#define PIPE_BYTES 4096

static bool open_turns(void)
{
	return ioperm(DEBUG_PORT, 1, 1) == 0;
}

void channel_turn(void)
{
	for (int i = 0; i < PIPE_BYTES + 1; i++)
		outb('.', DEBUG_PORT);
}

#endif

static bool is_shared_memory(const char *device)
{
	char path[300], vendor[16], product[16];

	snprintf(path, sizeof(path), DEVICES "/%s/vendor", device);
	if (read_file(path, vendor, sizeof(vendor)) < 0)
		return false;
	snprintf(path, sizeof(path), DEVICES "/%s/device", device);
	/* ivshmem (QEMU, docs/specs/ivshmem-spec.rst). */
	return read_file(path, product, sizeof(product)) >= 0 && !strcmp(vendor, "0x1af4\n") &&
	       !strcmp(product, "0x1110\n");
}

static bool map(const char *device)
{
	char path[300];
	struct stat size;
	int fd;

	snprintf(path, sizeof(path), DEVICES "/%s/enable", device);
	write_file(path, "1");
	snprintf(path, sizeof(path), DEVICES "/%s/" MEMORY, device);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &size) < 0)
		return false;
	header = mmap(NULL, (size_t)size.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (header == MAP_FAILED)
		return false;
	channel_data = (char *)(header + 1);
	channel_room = (size_t)size.st_size - sizeof(*header);
	return true;
}

bool channel_open(void)
{
	DIR *devices = opendir(DEVICES);
	bool mapped = false;

	for (struct dirent *entry; devices && !mapped && (entry = readdir(devices));)
		mapped = is_shared_memory(entry->d_name) && map(entry->d_name);
	if (devices)
		closedir(devices);
	if (!mapped)
		fprintf(stderr, "link: no shared memory: %s\n", strerror(errno));
	else if (!open_turns())
		fprintf(stderr, "link: no way to wait for the host\n");
	else
		return true;
	return false;
}
