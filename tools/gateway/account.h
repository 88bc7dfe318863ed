/* Account: what became of the letters of a subscription, written into the mesh, and on the disks of
   those that could take over before a function returns. Of the courier's thread. */

#ifndef TOOLS_GATEWAY_ACCOUNT_H_INCLUDED
#define TOOLS_GATEWAY_ACCOUNT_H_INCLUDED

#include "gateway/office.h"

/* Takes what a document progress/HOOK holds, rivals included, into `delivered`. */
saker_err_t account_read (call_t *call, const char *collection, const char *hook,
                          delivered_t *delivered);
/* Is it done with, or from before the subscription? */
bool account_covers (courier_t *self, const uint8_t writer[16], int64_t number, uint64_t time_ms);
/* Was this document of a change sent, where the change as a whole was not? */
bool account_has_sent (courier_t *self, const uint8_t writer[16], uint64_t seq,
                       const char *document);

/* A letter of the feed was delivered. False: it is not written. */
bool account_done (courier_t *self, const letter_t *letter);
/* Letters of the feed, OFFICE_BATCH_MAX at most, wait for another attempt, or are dead. `progress`:
   they come in the order of the feed, and are done with there. */
bool account_set_aside (courier_t *self, letter_t *letters, size_t count, bool progress);
/* A letter that was set aside is done with, or dead. */
void account_end (courier_t *self, const letter_t *letter, bool dead);
/* It waits for another attempt. */
void account_again (courier_t *self, const letter_t *letter);
/* It is no longer set aside, as others wrote. */
void account_forget (courier_t *self, const letter_t *letter);
/* Were these all its attempts? */
bool account_is_dead (const courier_t *self, const letter_t *letter);
/* The receiver wants no more. */
void account_gone (courier_t *self);

#endif
