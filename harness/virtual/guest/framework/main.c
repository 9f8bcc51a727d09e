/* SPDX-License-Identifier: Apache-2.0 */
#include "framework.h"

#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

int reboot_device(int argc, char **argv)
{
	sync();
	/* "-p" is Android's word for power off; other reasons (recovery, bootloader) do not exist here. */
	if (argc > 1 && !strcmp(argv[1], "-p"))
		reboot(RB_POWER_OFF);
	else
		reboot(RB_AUTOBOOT);
	perror("reboot");
	return 1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "getprop", getprop }, { "setprop", setprop }, { "settings", settings }, { "reboot", reboot_device },
	};
	const char *slash = strrchr(argv[0], '/');
	char *name = slash ? argv[0] + (slash - argv[0]) + 1 : argv[0];

	argv[0] = name;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return commands[i].run(argc, argv);
	return ask_activityd(argc, argv);
}
