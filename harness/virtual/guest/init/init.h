/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUEST_INIT_H
#define GUEST_INIT_H

#include <stdbool.h>

/* One whole line in the kernel log, and so on the console, where the host looks for it. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

void mount_all(void);
void tune_kernel(void);

/* Loads what /lib/modules/load.conf names ("FILE [PARAMETER=VALUE...]" a line), in its order. */
void load_modules(void);

/* Brings up lo and, if there is a network card, eth0 with the address that QEMU forwards adb to. */
bool network_up(bool card);

/* adb's port on a device, as /proc/net/tcp spells it (5555). */
#define ADB_PORT "15B3"

/* Whether a socket exists: one with a path, or a TCP port that somebody listens on. */
bool is_open(const char *socket);

/* Whether the kernel command line holds the word. */
bool is_asked_for(const char *word);

/* /system/build.prop, and androidboot.X=V of the kernel command line as ro.boot.X. */
void load_properties(void);

#endif
