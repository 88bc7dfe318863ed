/* An expectation: what a batch was made for must still be there when it is written. It is looked at
   where the batch is made into a change, so that nothing local comes between the two. */

#include "peer/fetching.h"
#include "peer/making.h"

#include "crdt/state.h"
#include "crdt/value.h"

#include <string.h>

static saker_err_t see_leaf (const skr_leaf_t *leaf, void *argument)
{
    skr_state_add (argument, leaf->path, leaf->kind, &leaf->value, leaf->rival, leaf->shown,
                   leaf->dot.writer.bytes, leaf->dot.seq);
    return SAKER_OK;
}

static saker_err_t get_state (const skr_making_t *making, const skr_intent_t *intent,
                              uint8_t state[SAKER_STATE_BYTES], bool *any)
{
    skr_state_t seen;
    skr_state_begin (&seen);
    saker_err_t error =
        skr_view_document (making->cells, intent->document, intent->path, see_leaf, &seen, NULL);
    saker_err_t ended = skr_state_end (&seen, state);
    *any = error == SAKER_OK;
    return error == SAKER_OK || error == SAKER_ENOTFOUND ? ended : error;
}

saker_err_t skr_making_expect (const skr_making_t *making, const skr_intent_t *intent)
{
    uint8_t state[SAKER_STATE_BYTES];
    saker_value_t wanted;
    bool any = false;
    SKR_TRY (skr_value_parse (intent->value, &wanted));
    if (wanted.type != SAKER_BYTES || wanted.as.string.size != sizeof state) {
        return skr_fail (SAKER_EINPUT, "a state has %d bytes (SAKER_STATE_BYTES)",
                         SAKER_STATE_BYTES);
    }
    SKR_TRY (get_state (making, intent, state, &any));
    if (!any) { /* that nothing is there is not known yet */
        const skr_collection_t *collection = &making->held->live;
        SKR_TRY (skr_fetching_check (making->replica, &collection->id, collection->name));
    }
    return memcmp (state, wanted.as.string.data, sizeof state) == 0
               ? SAKER_OK
               : skr_fail (SAKER_ECHANGED, "%.*s is not what was expected: read it again",
                           (int) intent->document.size, (const char *) intent->document.data);
}
