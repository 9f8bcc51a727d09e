/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADBD_SERVICE_H
#define ADBD_SERVICE_H

#include <stdbool.h>

/* Starts the process behind "shell,v2:ls", "sync:" ...; its socket, or -1 for a name we do not serve. */
int service_start(const char *name);

/* Run inside the service process, on its socket; neither returns to the transport loop. */
void shell_service(int sock, const char *command, bool packets, bool pty, const char *term);
void sync_service(int sock);

#endif
