/* People: devices with a writer each, and their roster changes, made without a store. */

#ifndef TESTS_LIB_PEOPLE_H_INCLUDED
#define TESTS_LIB_PEOPLE_H_INCLUDED

#include "peer/roster.h"

typedef struct people_t {
    skr_device_t *device;
    uint8_t incarnation[SKR_INCARNATION_BYTES];
    skr_id_t writer;
    uint64_t seq;
    uint8_t prev[SKR_HASH_BYTES];
} people_t;

void people_make (people_t *self);
void people_free (people_t *self);
/* As a member with this name and role. */
skr_member_t people_member (const people_t *self, const char *name, skr_role_t role);
/* Appends one roster change of these encoded statements, signed for `mesh`, at time `hlc`. */
void people_change (people_t *self, const skr_id_t *mesh, uint64_t hlc, const skr_buf_t *statements,
                    size_t count, skr_buf_t *raw);

#endif
