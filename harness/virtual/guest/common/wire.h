/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the framework command and activityd, over a unix socket.
 * Request: four bytes length, then the words of the command line, each with its NUL.
 * Reply: frames of one byte kind, four bytes length, data; the exit frame (one byte) is the last.
 */
#ifndef GUEST_WIRE_H
#define GUEST_WIRE_H

#define ACTIVITY_SOCKET "/dev/socket/activity"
#define REQUEST_MAX 8192

enum { FRAME_STDOUT = 1, FRAME_STDERR = 2, FRAME_EXIT = 3 };

#endif
