/* SPDX-License-Identifier: Apache-2.0 */
#include "init.h"

#include "../common/io.h"
#include "../common/props.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void mount_one(const char *type, const char *target, const char *options)
{
	mkdir(target, 0755);
	if (mount(type, target, type, 0, options) < 0 && errno != EBUSY)
		report("mount of %s at %s: %s", type, target, strerror(errno));
}

void mount_all(void)
{
	mount_one("devtmpfs", "/dev", "mode=0755");
	mount_one("proc", "/proc", NULL);
	mount_one("sysfs", "/sys", NULL);
	mount_one("devpts", "/dev/pts", "mode=0620,ptmxmode=0666");
	mount_one("debugfs", "/sys/kernel/debug", NULL);
	mount_one("tracefs", "/sys/kernel/tracing", NULL);
	mkdir("/dev/socket", 0755);
	mkdir(PROP_DIR, 0711);
}

void tune_kernel(void)
{
	/* Huge pages would pass zram by on another path (see the kernels' README). */
	if (!write_file("/sys/kernel/mm/transparent_hugepage/enabled", "never"))
		report("huge pages could not be switched off: %s", strerror(errno));
	/* Emulated CPUs are slow: only a real hang lasts this long. */
	write_file("/proc/sys/kernel/watchdog_thresh", "60");
	write_file("/proc/sys/kernel/hung_task_timeout_secs", "120");
	write_file("/proc/sys/kernel/sysrq", "1");
}

static bool interface_up(int fd, const char *name, const char *address, const char *mask)
{
	struct ifreq request = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	in->sin_family = AF_INET;
	inet_pton(AF_INET, address, &in->sin_addr);
	if (ioctl(fd, SIOCSIFADDR, &request) < 0)
		return false;
	inet_pton(AF_INET, mask, &in->sin_addr);
	if (ioctl(fd, SIOCSIFNETMASK, &request) < 0)
		return false;
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return false;
	request.ifr_flags |= IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

bool network_up(bool card)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && interface_up(fd, "lo", "127.0.0.1", "255.0.0.0") &&
		  (!card || interface_up(fd, "eth0", "10.0.2.15", "255.255.255.0"));
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return up;
}

static bool listens(const char *table, const char *port)
{
	static char text[16384];
	char local[80];
	unsigned int state;

	if (read_file(table, text, sizeof(text)) < 0)
		return false;
	for (char *line = strchr(text, '\n'); line; line = strchr(line + 1, '\n'))
		if (sscanf(line, " %*d: %79s %*s %x", local, &state) == 2 && state == 0x0A &&
		    strlen(local) > strlen(port) && !strcmp(local + strlen(local) - strlen(port), port))
			return true;
	return false;
}

bool is_open(const char *socket)
{
	if (socket[0] == '/')
		return access(socket, F_OK) == 0;
	return listens("/proc/net/tcp", socket) || listens("/proc/net/tcp6", socket);
}

bool is_asked_for(const char *word)
{
	static char text[8192];
	char *rest;

	if (read_file("/proc/cmdline", text, sizeof(text)) < 0)
		return false;
	for (char *at = strtok_r(text, " \n", &rest); at; at = strtok_r(NULL, " \n", &rest))
		if (!strcmp(at, word))
			return true;
	return false;
}

static void load_line(char *line, const char *only_prefix, const char *new_prefix)
{
	char *equals = strchr(line, '=');
	char name[PROP_NAME_MAX];

	if (!equals || strncmp(line, only_prefix, strlen(only_prefix)))
		return;
	*equals = '\0';
	snprintf(name, sizeof(name), "%s%s", new_prefix, line + strlen(only_prefix));
	if (!prop_set(name, equals + 1))
		report("property %s could not be set", name);
}

void load_properties(void)
{
	static char text[8192];
	char *rest;

	if (read_file("/system/build.prop", text, sizeof(text)) >= 0)
		for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			if (line[0] != '#')
				load_line(line, "", "");
	if (read_file("/proc/cmdline", text, sizeof(text)) >= 0)
		for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
			load_line(word, "androidboot.", "ro.boot.");
}
