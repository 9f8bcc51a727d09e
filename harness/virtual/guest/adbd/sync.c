/* SPDX-License-Identifier: Apache-2.0 */
/* sync: files in and out, and what is known about them. */
#include "service.h"

#include "../common/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define DATA_MAX (64 * 1024)
/* Android's own ceiling for a path in a sync request. */
#define PATH_LIMIT 1024

struct request {
	uint32_t id;
	uint32_t length;
};

struct stat_v1 {
	uint32_t id, mode, size, mtime;
};

struct __attribute__((packed)) stat_v2 {
	uint32_t id, error;
	uint64_t dev, ino;
	uint32_t mode, nlink, uid, gid;
	uint64_t size;
	int64_t atime, mtime, ctime;
};

static int sock;
static unsigned char chunk[DATA_MAX];

static bool put(const void *bytes, size_t size)
{
	return write_full(sock, bytes, size);
}

static bool put_head(uint32_t id, uint32_t length)
{
	struct request head = { id, length };

	return put(&head, sizeof(head));
}

static bool fail(const char *what, const char *path, int error)
{
	char text[PATH_LIMIT + 256];
	int size = snprintf(text, sizeof(text), "%s '%s' failed: %s", what, path, strerror(error));

	return put_head(ID('F', 'A', 'I', 'L'), (uint32_t)size) && put(text, (size_t)size);
}

static struct stat_v2 describe(uint32_t id, int error, const struct stat *st)
{
	if (error)
		return (struct stat_v2){ .id = id, .error = (uint32_t)error };
	return (struct stat_v2){
		.id = id, .dev = st->st_dev, .ino = st->st_ino, .mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink, .uid = st->st_uid, .gid = st->st_gid,
		.size = (uint64_t)st->st_size, .atime = st->st_atime, .mtime = st->st_mtime, .ctime = st->st_ctime,
	};
}

static bool do_stat(uint32_t id, const char *path)
{
	struct stat st = { 0 };
	bool follow = id == ID('S', 'T', 'A', '2');
	int error = (follow ? stat(path, &st) : lstat(path, &st)) < 0 ? errno : 0;
	struct stat_v1 old = { id, 0, 0, 0 };
	struct stat_v2 reply;

	if (id == ID('S', 'T', 'A', 'T')) {
		if (!error)
			old = (struct stat_v1){ id, st.st_mode, (uint32_t)st.st_size, (uint32_t)st.st_mtime };
		return put(&old, sizeof(old));
	}
	reply = describe(id, error, &st);
	return put(&reply, sizeof(reply));
}

static bool put_entry(bool v2, const char *name, int error, const struct stat *st)
{
	uint32_t length = (uint32_t)strlen(name);
	struct stat_v2 entry = describe(ID('D', 'N', 'T', '2'), error, st);
	struct stat_v1 old = { ID('D', 'E', 'N', 'T'), st->st_mode, (uint32_t)st->st_size, (uint32_t)st->st_mtime };

	if (v2 ? !put(&entry, sizeof(entry)) : !put(&old, sizeof(old)))
		return false;
	return put(&length, sizeof(length)) && put(name, length);
}

static bool do_list(bool v2, const char *path)
{
	static const unsigned char done[sizeof(struct stat_v2) + 4] = "DONE";
	DIR *directory = opendir(path);
	bool ok = true;

	for (struct dirent *entry; ok && directory && (entry = readdir(directory));) {
		struct stat st = { 0 };
		int error = fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;

		/* The first form has no place for an error: such an entry is left out. */
		if (!error || v2)
			ok = put_entry(v2, entry->d_name, error, &st);
	}
	if (directory)
		closedir(directory);
	return ok && put(done, v2 ? sizeof(done) : sizeof(struct stat_v1) + 4);
}

static bool do_recv(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail("open", path, errno);
	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int error = errno;

			close(fd);
			return fail("read", path, error);
		}
		if (got == 0)
			break;
		if (!put_head(ID('D', 'A', 'T', 'A'), (uint32_t)got) || !put(chunk, (size_t)got)) {
			close(fd);
			return false;
		}
	}
	close(fd);
	return put_head(ID('D', 'O', 'N', 'E'), 0);
}

static void make_parents(const char *path)
{
	char folder[PATH_LIMIT + 1];

	snprintf(folder, sizeof(folder), "%s", path);
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(folder, 0775);
		*slash = '/';
	}
}

/* Reads the host's DATA packets up to DONE; into `fd` while `*error` is 0, else to nowhere. */
static bool receive_data(int fd, int *error, uint32_t *mtime)
{
	for (;;) {
		struct request head;

		if (!read_full(sock, &head, sizeof(head)))
			return false;
		if (head.id == ID('D', 'O', 'N', 'E')) {
			*mtime = head.length;
			return true;
		}
		if (head.id != ID('D', 'A', 'T', 'A') || head.length > DATA_MAX || !read_full(sock, chunk, head.length))
			return false;
		if (!*error && !write_full(fd, chunk, head.length))
			*error = errno ? errno : EIO;
	}
}

static bool receive_file(const char *path, mode_t mode)
{
	struct timespec times[2] = { 0 };
	uint32_t mtime = 0;
	int error = 0;
	int fd;

	make_parents(path);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		error = errno;
	/* The data is read even when it cannot be kept: the host listens for FAIL only after it. */
	if (!receive_data(fd, &error, &mtime)) {
		if (fd >= 0) {
			close(fd);
			unlink(path);
		}
		return false;
	}
	if (fd >= 0) {
		fchmod(fd, mode);
		times[0].tv_sec = times[1].tv_sec = mtime;
		futimens(fd, times);
		if (close(fd) < 0 && !error)
			error = errno;
		if (error)
			unlink(path);
	}
	return error ? fail("write", path, error) : put_head(ID('O', 'K', 'A', 'Y'), 0);
}

static bool receive_link(const char *path)
{
	char target[PATH_LIMIT + 1];
	struct request head;

	if (!read_full(sock, &head, sizeof(head)) || head.id != ID('D', 'A', 'T', 'A') || head.length > PATH_LIMIT ||
	    !read_full(sock, target, head.length))
		return false;
	target[head.length] = '\0';
	if (!read_full(sock, &head, sizeof(head)) || head.id != ID('D', 'O', 'N', 'E'))
		return false;
	make_parents(path);
	unlink(path);
	if (symlink(target, path) < 0)
		return fail("symlink", path, errno);
	return put_head(ID('O', 'K', 'A', 'Y'), 0);
}

static bool do_send(const char *path, uint32_t mode)
{
	mode_t access = mode & 0777;

	if (S_ISLNK(mode))
		return receive_link(path);
	/* Android widens the owner's bits to the group's, and then the group's to all others'. */
	access |= access >> 3 & 0070;
	access |= access >> 3 & 0007;
	return receive_file(path, access);
}

/* "path,mode" with the mode in decimal. */
static bool do_send_v1(char *spec)
{
	char *comma = strrchr(spec, ',');
	unsigned int mode = 0;

	if (!comma || sscanf(comma + 1, "%u", &mode) != 1)
		return fail("send", spec, EINVAL) && false;
	*comma = '\0';
	return do_send(spec, mode);
}

static bool do_send_v2(const char *path)
{
	struct {
		uint32_t id, mode, flags;
	} setup;

	if (!read_full(sock, &setup, sizeof(setup)) || setup.id != ID('S', 'N', 'D', '2'))
		return false;
	/* No compression is announced, so a flag is a host's mistake. */
	if (setup.flags)
		return fail("send with compression", path, EOPNOTSUPP) && false;
	return do_send(path, setup.mode);
}

static bool do_recv_v2(const char *path)
{
	struct {
		uint32_t id, flags;
	} setup;

	if (!read_full(sock, &setup, sizeof(setup)) || setup.id != ID('R', 'C', 'V', '2'))
		return false;
	if (setup.flags)
		return fail("receive with compression", path, EOPNOTSUPP) && false;
	return do_recv(path);
}

void sync_service(int socket)
{
	bool more = true;

	sock = socket;
	umask(0);
	while (more) {
		struct request request;
		char path[PATH_LIMIT + 1];

		if (!read_full(sock, &request, sizeof(request)))
			return;
		if (request.length > PATH_LIMIT) {
			fail("request", "path", ENAMETOOLONG);
			return;
		}
		if (!read_full(sock, path, request.length))
			return;
		path[request.length] = '\0';
		switch (request.id) {
		case ID('S', 'T', 'A', 'T'):
		case ID('S', 'T', 'A', '2'):
		case ID('L', 'S', 'T', '2'):
			more = do_stat(request.id, path);
			break;
		case ID('L', 'I', 'S', 'T'):
			more = do_list(false, path);
			break;
		case ID('L', 'I', 'S', '2'):
			more = do_list(true, path);
			break;
		case ID('S', 'E', 'N', 'D'):
			more = do_send_v1(path);
			break;
		case ID('S', 'N', 'D', '2'):
			more = do_send_v2(path);
			break;
		case ID('R', 'E', 'C', 'V'):
			more = do_recv(path);
			break;
		case ID('R', 'C', 'V', '2'):
			more = do_recv_v2(path);
			break;
		case ID('Q', 'U', 'I', 'T'):
			return;
		default:
			fail("request", "unknown", EINVAL);
			return;
		}
	}
}
