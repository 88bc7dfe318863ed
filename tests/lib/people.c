#include "tests/lib/people.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must (saker_err_t error)
{
    if (error != SAKER_OK) {
        printf ("people: %s\n", skr_error ());
        exit (1);
    }
}

void people_make (people_t *self)
{
    memset (self, 0, sizeof *self);
    must (skr_device_new (&self->device));
    randombytes_buf (self->incarnation, sizeof self->incarnation);
    skr_device_writer (skr_device_key (self->device), self->incarnation, &self->writer);
}

void people_free (people_t *self)
{
    skr_device_destroy (&self->device);
}

skr_member_t people_member (const people_t *self, const char *name, skr_role_t role)
{
    skr_member_t member = {.role = role};
    memcpy (member.device, skr_device_key (self->device), sizeof member.device);
    memcpy (member.transport, skr_device_transport_key (self->device), sizeof member.transport);
    snprintf (member.name, sizeof member.name, "%s", name);
    return member;
}

void people_change (people_t *self, const skr_id_t *mesh, uint64_t hlc, const skr_buf_t *statements,
                    size_t count, skr_buf_t *raw)
{
    skr_buf_t ops = {0}, content = {0};
    skr_clock_t deps = {0};
    skr_span_t none = skr_span (NULL, 0);
    for (size_t i = 0; i < count; i++) {
        skr_op_put (&ops, SKR_OP_STATEMENT, none, none, NULL, 0, skr_span_of (&statements[i]));
    }
    skr_content_put (&content, NULL, 0, skr_span_of (&ops), count, none, none, none);
    skr_draft_t draft = {.mesh = *mesh,
                         .writer = self->writer,
                         .seq = ++self->seq,
                         .hlc = hlc,
                         .prev = self->prev,
                         .deps = &deps,
                         .content = skr_span_of (&content),
                         .secret = skr_device_secret (self->device)};
    size_t before = raw->size;
    must (skr_change_build (&draft, raw));
    skr_change_t change;
    must (skr_change_parse (&change, skr_span (raw->data + before, raw->size - before)));
    skr_change_hash (&change, self->prev);
    skr_buf_free (&ops);
    skr_buf_free (&content);
}
