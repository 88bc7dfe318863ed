#include "peer/toll.h"

#include "peer/roster_internal.h"
#include "peer/statement.h"

#include "crdt/hlc.h"

#include <stdlib.h>
#include <string.h>

#define DAY_MS UINT64_C (86400000)

/* ---- what was paid: kept with the roster, by writer */

static size_t toll_at (const skr_roster_t *self, const skr_id_t *writer)
{
    size_t low = 0, high = self->tolls_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (skr_id_compare (&self->tolls[middle].writer, writer) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

saker_err_t skr_roster_pay (skr_roster_t *self, const skr_id_t *writer, uint64_t cost)
{
    size_t at = toll_at (self, writer);
    if (at < self->tolls_count && skr_id_equal (&self->tolls[at].writer, writer)) {
        self->tolls[at].paid += cost;
        return SAKER_OK;
    }
    if (self->tolls_count == self->tolls_capacity) {
        size_t capacity = self->tolls_capacity ? 2 * self->tolls_capacity : 8;
        skr_toll_t *grown = realloc (self->tolls, capacity * sizeof *grown);
        if (!grown) {
            return skr_fail (SAKER_ENOMEM, "out of memory");
        }
        self->tolls = grown;
        self->tolls_capacity = capacity;
    }
    memmove (&self->tolls[at + 1], &self->tolls[at],
             (self->tolls_count - at) * sizeof *self->tolls);
    self->tolls[at] = (skr_toll_t){.writer = *writer, .paid = cost};
    self->tolls_count++;
    return SAKER_OK;
}

static uint64_t paid_by (const skr_roster_t *self, const uint8_t device[32])
{
    uint64_t paid = 0;
    for (size_t i = 0; i < self->tolls_count; i++) {
        const skr_writer_t *writer = skr_roster_writer (self, &self->tolls[i].writer);
        paid += writer && skr_same_device (writer->device, device) ? self->tolls[i].paid : 0;
    }
    return paid;
}

/* When it was admitted first. */
static uint64_t admitted_ms (const skr_roster_t *self, const uint8_t device[32])
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < self->grants_count; i++) {
        const skr_grant_t *grant = &self->grants[i];
        if (skr_same_device (grant->member.device, device) && grant->stamp.hlc < first) {
            first = grant->stamp.hlc;
        }
    }
    return skr_hlc_ms (first);
}

/* ---- what may be paid */

uint64_t skr_toll_wait_ms (const skr_roster_t *roster, const uint8_t device[SKR_DEVICE_KEY_BYTES],
                           uint64_t cost, uint64_t wall_ms)
{
    const skr_person_t *person = skr_roster_person (roster, device);
    if (!person || person->ever == SKR_ROLE_ADMIN) {
        return 0;
    }
    uint64_t since_ms = admitted_ms (roster, device);
    uint64_t days = wall_ms > since_ms ? (wall_ms - since_ms) / DAY_MS : 0;
    uint64_t rest_ms = wall_ms > since_ms ? (wall_ms - since_ms) % DAY_MS : 0;
    uint64_t may = SKR_TOLL_FREE + days * SKR_TOLL_A_DAY + rest_ms * SKR_TOLL_A_DAY / DAY_MS;
    uint64_t wants = paid_by (roster, device) + cost;
    return wants > may ? (wants - may) * DAY_MS / SKR_TOLL_A_DAY : 0;
}

uint64_t skr_toll_cost (const skr_statement_t *statement, skr_span_t bytes)
{
    uint64_t cost = 1 + bytes.size / SKR_TOLL_BYTES;
    return statement->kind == SKR_STATEMENT_INCARNATE ? cost + SKR_TOLL_INCARNATE : cost;
}

bool skr_toll_of (const skr_roster_t *roster, const skr_change_t *change,
                  const skr_content_t *content, uint8_t device[SKR_DEVICE_KEY_BYTES],
                  uint64_t *cost)
{
    const skr_writer_t *writer = skr_roster_writer (roster, &change->writer);
    bool known = writer != NULL;
    *cost = 0;
    if (writer) {
        memcpy (device, writer->device, SKR_DEVICE_KEY_BYTES);
    }
    for (size_t i = 0; i < content->ops_count; i++) {
        skr_statement_t statement;
        if (skr_statement_read (content->ops[i].argument, &statement) != SAKER_OK) {
            continue;
        }
        *cost += skr_toll_cost (&statement, content->ops[i].argument);
        if (!known && statement.kind == SKR_STATEMENT_INCARNATE) { /* of itself: that was checked */
            memcpy (device, statement.member.device, SKR_DEVICE_KEY_BYTES);
            known = true;
        }
    }
    return known;
}
