/* SPDX-License-Identifier: Apache-2.0 */
/* One program under the names of Android's commands. */
#ifndef FRAMEWORK_H
#define FRAMEWORK_H

/* Each is a main(); its return value is the exit status. */
int ask_activityd(int argc, char **argv);
int getprop(int argc, char **argv);
int setprop(int argc, char **argv);
int settings(int argc, char **argv);
int reboot_device(int argc, char **argv);

#endif
