/* Inviting and admitting: what an admin's replica does so that a device becomes a member. */

#include "peer/replica_internal.h"
#include "peer/stating.h"

#include <sodium.h>
#include <string.h>

static saker_err_t check_admin (const skr_replica_t *self)
{
    const skr_member_t *member = skr_replica_self (self);
    return member && member->role == SKR_ROLE_ADMIN
               ? SAKER_OK
               : skr_fail (SAKER_ERIGHT, "only an admin invites and admits");
}

static saker_err_t set_addresses (skr_ticket_t *ticket, const char *const *addresses, size_t count)
{
    if (count > SKR_TICKET_ADDRESSES_MAX) {
        return skr_fail (SAKER_ELIMIT,
                         "a ticket holds at most %d addresses "
                         "(SKR_TICKET_ADDRESSES_MAX)",
                         SKR_TICKET_ADDRESSES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen (addresses[i]);
        if (size > SKR_ADDRESS_BYTES_MAX) {
            return skr_fail (SAKER_ELIMIT,
                             "an address has at most %d bytes "
                             "(SKR_ADDRESS_BYTES_MAX)",
                             SKR_ADDRESS_BYTES_MAX);
        }
        memcpy (ticket->addresses[i], addresses[i], size + 1);
    }
    ticket->addresses_count = count;
    return SAKER_OK;
}

static saker_err_t fill_ticket (const skr_replica_t *self, uint64_t expires_ms,
                                const char *const *addresses, size_t count, skr_ticket_t *ticket)
{
    char text[SAKER_TICKET_MAX];
    const char *name = skr_roster_mesh_name (self->roster);
    memset (ticket, 0, sizeof *ticket);
    SKR_TRY (set_addresses (ticket, addresses, count));
    ticket->mesh = self->mesh;
    memcpy (ticket->mesh_name, name, strlen (name));
    memcpy (ticket->transport, skr_device_transport_key (self->device), sizeof ticket->transport);
    ticket->expires_ms = expires_ms;
    randombytes_buf (ticket->secret, sizeof ticket->secret);
    saker_err_t error = skr_ticket_text (ticket, text); /* does it fit? */
    sodium_memzero (text, sizeof text);
    return error;
}

saker_err_t skr_replica_invite (skr_replica_t *self, skr_role_t role, uint64_t expires_ms,
                                const char *const *addresses, size_t addresses_count,
                                skr_ticket_t *ticket)
{
    uint8_t key[32];
    const skr_invitation_t invitation = {.role = role, .expires_ms = expires_ms};
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (check_admin (self));
    if (role < SKR_ROLE_RELAY || role > SKR_ROLE_ADMIN) {
        return skr_fail (SAKER_EINPUT, "a role is relay, read, write or admin");
    }
    SKR_TRY (fill_ticket (self, expires_ms, addresses, addresses_count, ticket));
    skr_ticket_key (ticket, key);
    return skr_invitation_put (self->store, key, &invitation);
}

/* ---- admitting */

typedef struct admission_t {
    const skr_member_t *member;
    skr_stating_t stating;
} admission_t;

static saker_err_t give_key (const skr_id_t *collection, uint64_t generation, const uint8_t *key,
                             void *argument)
{
    admission_t *admission = argument;
    SKR_TRY (skr_statement_key (&admission->stating.buf, collection, generation, key,
                                &admission->member, 1));
    return skr_stating_end (&admission->stating);
}

static saker_err_t put_statements (skr_replica_t *self, const uint8_t ticket_key[32],
                                   admission_t *admission)
{
    skr_statement_admit (&admission->stating.buf, admission->member, ticket_key);
    SKR_TRY (skr_stating_end (&admission->stating));
    return admission->member->role >= SKR_ROLE_READ
               ? skr_keyring_each (self->keyring, give_key, admission)
               : SAKER_OK;
}

static saker_err_t write_admission (skr_replica_t *self, const uint8_t ticket_key[32],
                                    const skr_member_t *member)
{
    admission_t admission = {.member = member};
    saker_err_t error = put_statements (self, ticket_key, &admission);
    if (error == SAKER_OK) {
        error = skr_stating_make (&admission.stating, self);
    }
    skr_stating_free (&admission.stating);
    return error;
}

static saker_err_t check_invitation (skr_replica_t *self, const skr_invitation_t *invitation,
                                     const skr_member_t *candidate, bool *done)
{
    *done = invitation->used
            && memcmp (invitation->used_by, candidate->device, SKR_DEVICE_KEY_BYTES) == 0
            && skr_roster_by_device (self->roster, candidate->device) != NULL;
    if (*done) {
        return SAKER_OK;
    }
    if (invitation->used) {
        return skr_fail (SAKER_EINPUT, "this ticket was used already: ask for a new one");
    }
    if (self->world->wall_ms (self->world->context) >= invitation->expires_ms) {
        return skr_fail (SAKER_EINPUT, "this ticket has expired: ask for a new one");
    }
    return SAKER_OK;
}

/* A key that another holds would let the newcomer's rights count for that other's link. */
static saker_err_t check_transport (const skr_replica_t *self, const skr_member_t *candidate)
{
    const skr_member_t *holder = skr_roster_by_transport (self->roster, candidate->transport);
    bool taken = holder && memcmp (holder->device, candidate->device, SKR_DEVICE_KEY_BYTES) != 0;
    return taken ? skr_fail (SAKER_EINPUT, "this transport key is that of another member")
                 : SAKER_OK;
}

static saker_err_t admit_invited (skr_replica_t *self, const uint8_t ticket_key[32],
                                  const skr_member_t *candidate, skr_invitation_t *invitation)
{
    skr_member_t member = *candidate;
    member.role = invitation->role;
    SKR_TRY (write_admission (self, ticket_key, &member));
    invitation->used = true;
    memcpy (invitation->used_by, member.device, sizeof invitation->used_by);
    saker_err_t error = skr_invitation_put (self->store, ticket_key, invitation);
    return error == SAKER_OK ? SAKER_OK : skr_replica_spoil (self, error);
}

saker_err_t skr_replica_admit (skr_replica_t *self, const uint8_t ticket_key[32],
                               const skr_member_t *candidate)
{
    skr_invitation_t invitation;
    bool done;
    SKR_TRY (skr_replica_check_group (self));
    SKR_TRY (check_admin (self));
    SKR_TRY (skr_roster_name_check ("device", candidate->name));
    saker_err_t error = skr_invitation_get (self->store, SKR_GROUP, ticket_key, &invitation);
    if (error == SAKER_ENOTFOUND) {
        return skr_fail (SAKER_EINPUT, "this ticket is not of this peer, or was withdrawn");
    }
    SKR_TRY (error);
    SKR_TRY (check_invitation (self, &invitation, candidate, &done));
    SKR_TRY (check_transport (self, candidate));
    return done ? SAKER_OK : admit_invited (self, ticket_key, candidate, &invitation);
}
