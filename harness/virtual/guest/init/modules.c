/* SPDX-License-Identifier: Apache-2.0 */
#include "init.h"

#include "../common/io.h"
#include "../common/props.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Module loaders call these two errors by what they mean for a module. */
static const char *reason(int error)
{
	if (error == ENOEXEC)
		return "Invalid module format";
	if (error == ENOENT)
		return "Unknown symbol in module, or no such file";
	return strerror(error);
}

static void load(const char *file, const char *parameters)
{
	char path[512];
	char text[256];
	int fd;

	snprintf(path, sizeof(path), "/lib/modules/%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && syscall(SYS_finit_module, fd, parameters, 0) == 0) {
		close(fd);
		return;
	}
	snprintf(text, sizeof(text), "%s: %s", file, reason(errno));
	/* Only the first: what fails after it mostly fails because of it. */
	if (access(PROP_DIR "/suite.module_error", F_OK) < 0)
		prop_set("suite.module_error", text);
	report("module-error %s", text);
	if (fd >= 0)
		close(fd);
}

void load_modules(void)
{
	static char list[16384];
	char *rest;

	if (read_file("/lib/modules/load.conf", list, sizeof(list)) < 0)
		return;
	for (char *line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *space = strchr(line, ' ');

		if (space)
			*space++ = '\0';
		load(line, space ? space : "");
	}
}
