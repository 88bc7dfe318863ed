/* Listening: the socket of a place where the gateway listens. */

#ifndef TOOLS_GATEWAY_LISTENING_H_INCLUDED
#define TOOLS_GATEWAY_LISTENING_H_INCLUDED

#include "gateway/settings.h"

#define LISTENING_LOCAL "run/http" /* in the store's folder */

/* Opens and binds it; `store` is where the Unix socket is. The socket is the caller's. Otherwise
   `sentence` says what is wrong. */
saker_err_t listening_open (const place_to_listen_t *place, const char *store, int *listener,
                            char sentence[SAKER_SENTENCE_MAX]);
/* "http://127.0.0.1:8677", with the port that was free. */
void listening_url (const place_to_listen_t *place, const char *store, int listener, bool tls,
                    char *text, size_t size);

#endif
