#include "peer/ticket.h"
#include "tests/check.h"
#include "tests/lib/temp_folder.h"

#include <sodium.h>

static void fill (skr_ticket_t *ticket)
{
    memset (ticket, 0, sizeof *ticket);
    randombytes_buf (ticket->mesh.bytes, sizeof ticket->mesh.bytes);
    randombytes_buf (ticket->transport, sizeof ticket->transport);
    randombytes_buf (ticket->secret, sizeof ticket->secret);
    snprintf (ticket->mesh_name, sizeof ticket->mesh_name, "Studio \xc3\xa9t\xc3\xa9");
    ticket->expires_ms = 1760000000000;
    ticket->addresses_count = 2;
    snprintf (ticket->addresses[0], sizeof ticket->addresses[0], "tcp://10.0.0.1:5671");
    snprintf (ticket->addresses[1], sizeof ticket->addresses[1], "tcp://[fe80::1]:5671");
}

static void comes_back_from_its_text (void)
{
    skr_ticket_t ticket, parsed;
    char text[SAKER_TICKET_MAX], pasted[SAKER_TICKET_MAX + 8];
    uint8_t key[32], parsed_key[32];
    fill (&ticket);
    CHECK_OK (skr_ticket_text (&ticket, text));
    CHECK (strncmp (text, "saker1-", 7) == 0);
    snprintf (pasted, sizeof pasted, "  %s\r\n", text);
    CHECK_OK (skr_ticket_parse (&parsed, pasted));
    CHECK (memcmp (&ticket, &parsed, sizeof ticket) == 0);
    skr_ticket_key (&ticket, key);
    skr_ticket_key (&parsed, parsed_key);
    CHECK (memcmp (key, parsed_key, sizeof key) == 0);
}

static void every_cut_and_typo_is_noticed (void)
{
    skr_ticket_t ticket, parsed;
    char text[SAKER_TICKET_MAX], bad[SAKER_TICKET_MAX];
    fill (&ticket);
    CHECK_OK (skr_ticket_text (&ticket, text));
    size_t size = strlen (text);
    for (size_t i = 7; i < size; i++) {
        memcpy (bad, text, size + 1);
        bad[i] = 0;
        CHECK_ERR (skr_ticket_parse (&parsed, bad), SAKER_EINPUT, "cut or mistyped");
        memcpy (bad, text, size + 1);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        CHECK_ERR (skr_ticket_parse (&parsed, bad), SAKER_EINPUT, "cut or mistyped");
    }
    CHECK (sodium_is_zero ((const uint8_t *) &parsed, sizeof parsed));
}

static void other_texts_are_not_tickets (void)
{
    skr_ticket_t parsed;
    CHECK_ERR (skr_ticket_parse (&parsed, ""), SAKER_EINPUT, "not a saker ticket");
    CHECK_ERR (skr_ticket_parse (&parsed, "hello"), SAKER_EINPUT, "not a saker ticket");
    CHECK_ERR (skr_ticket_parse (&parsed, "saker1-"), SAKER_EINPUT, "cut or mistyped");
}

static void too_many_long_addresses_do_not_fit (void)
{
    skr_ticket_t ticket;
    char text[SAKER_TICKET_MAX];
    fill (&ticket);
    ticket.addresses_count = SKR_TICKET_ADDRESSES_MAX;
    for (size_t i = 0; i < SKR_TICKET_ADDRESSES_MAX; i++) {
        memset (ticket.addresses[i], 'a', SKR_ADDRESS_BYTES_MAX);
        ticket.addresses[i][SKR_ADDRESS_BYTES_MAX] = 0;
    }
    CHECK_ERR (skr_ticket_text (&ticket, text), SAKER_ELIMIT, "fewer addresses");
}

static void invitations_are_kept (void)
{
    char folder[TEMP_FOLDER_BYTES], path[TEMP_FOLDER_BYTES + 8];
    skr_store_t *store = NULL;
    uint8_t key[32] = {7};
    skr_invitation_t kept, put = {.role = SKR_ROLE_READ, .expires_ms = 12345};
    temp_folder_make (folder);
    snprintf (path, sizeof path, "%s/store", folder);
    CHECK_OK (skr_store_open (&store, path, SKR_STORE_CREATE, skr_world_real ()));
    CHECK_OK (skr_store_begin (store));
    CHECK_ERR (skr_invitation_get (store, SKR_GROUP, key, &kept), SAKER_ENOTFOUND, "invitation");
    CHECK_OK (skr_invitation_put (store, key, &put));
    CHECK_OK (skr_invitation_get (store, SKR_GROUP, key, &kept));
    CHECK (kept.role == SKR_ROLE_READ && kept.expires_ms == 12345 && !kept.used);
    put.used = true;
    put.used_by[3] = 9;
    CHECK_OK (skr_invitation_put (store, key, &put));
    CHECK_OK (skr_store_commit (store));
    skr_store_forget (store);
    CHECK_OK (skr_invitation_get (store, SKR_COMMITTED, key, &kept));
    CHECK (kept.used && kept.used_by[3] == 9);
    skr_store_close (&store);
    temp_folder_remove (folder);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    if (sodium_init () < 0) {
        return 1;
    }
    RUN (comes_back_from_its_text);
    RUN (every_cut_and_typo_is_noticed);
    RUN (other_texts_are_not_tickets);
    RUN (too_many_long_addresses_do_not_fit);
    RUN (invitations_are_kept);
    return CHECK_END ();
}
