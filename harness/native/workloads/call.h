/* SPDX-License-Identifier: Apache-2.0 */
/* One program waits for another on the device, without polling and without a host in between. */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>

/* A listening abstract unix(7) socket, or -1 with errno. */
int call_listen(const char *name);

/* The next caller, who waits until `call_answer`, or until this process ends. -1 with errno. */
int call_accept(int listener);

void call_answer(int caller);

/*
 * Calls `name` and returns when it answers (0) or ends. `needs_answer`: the end alone is status 3, and
 * one that does not listen yet gets 10 s. 4: nobody listens. The reason is printed for `program`.
 */
int call_and_wait(const char *program, const char *name, bool needs_answer);

#endif
