/* Notify: tells the service manager how the daemon is, over the socket that it names in
   $NOTIFY_SOCKET, as sd_notify(3) describes; nothing when there is none. */

#ifndef TOOLS_NOTIFY_H_INCLUDED
#define TOOLS_NOTIFY_H_INCLUDED

#include <stdbool.h>

/* Sends a state, "READY=1". False when there is a socket and it cannot be reached. */
bool notify_send (const char *state);
/* "RELOADING=1" with the time that systemd 253 and later ask for. */
bool notify_reloading (void);

#endif
