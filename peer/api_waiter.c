#include "peer/api_waiter.h"

#include <stdlib.h>

static void free_waiter (skr_api_waiter_t *waiter)
{
    skr_buf_free (&waiter->client);
    skr_buf_free (&waiter->from);
    skr_buf_free (&waiter->to);
    skr_seen_free (&waiter->seen);
    free (waiter->targets);
    free (waiter->members);
    free (waiter->collections);
    free (waiter);
}

static void remove_waiter (skr_api_t *self, size_t index)
{
    self->waiters_bytes -= self->waiters[index]->bytes;
    free_waiter (self->waiters[index]);
    self->waiters[index] = self->waiters[--self->waiters_count];
}

void skr_api_forget_waiter (skr_api_t *self, skr_span_t client)
{
    for (size_t i = self->waiters_count; i-- > 0;) {
        if (skr_span_equal (skr_span_of (&self->waiters[i]->client), client)) {
            remove_waiter (self, i);
        }
    }
}

void skr_api_free_waiters (skr_api_t *self)
{
    while (self->waiters_count > 0) {
        remove_waiter (self, self->waiters_count - 1);
    }
}

saker_err_t skr_api_no_memory (void)
{
    return skr_fail (SAKER_ENOMEM, "the daemon is out of memory");
}

void skr_api_get_deadline (skr_api_t *self, skr_api_call_t *call, uint64_t key, uint64_t ms_max,
                           skr_api_waiter_t *waiter)
{
    skr_fields_need (&call->fields, key);
    uint64_t timeout_ms = skr_cbor_get_uint (&call->cbor);
    waiter->start_ms = skr_api_now_ms (self);
    waiter->deadline_ms = waiter->start_ms + (timeout_ms < ms_max ? timeout_ms : ms_max);
}

saker_err_t skr_api_check_room (skr_api_t *self)
{
    if (self->waiters_count < SKR_API_WAITERS_MAX
        && self->waiters_bytes <= SKR_API_WAITERS_BYTES_MAX) {
        return SAKER_OK;
    }
    self->full++;
    return skr_fail (SAKER_EBUSY,
                     "too many programs wait already (SKR_API_WAITERS_MAX is %d): try again",
                     SKR_API_WAITERS_MAX);
}

skr_api_waiter_t *skr_api_new_waiter (const skr_api_call_t *call, skr_api_look_fn *look)
{
    skr_api_waiter_t *waiter = calloc (1, sizeof *waiter);
    if (waiter) {
        waiter->look = look;
        waiter->number = call->number;
        skr_buf_append_span (&waiter->client, call->client);
    }
    return waiter;
}

saker_err_t skr_api_add_waiter (skr_api_t *self, skr_api_call_t *call, skr_api_waiter_t *waiter,
                                saker_err_t error)
{
    if (error == SAKER_OK && waiter->client.failed) {
        error = skr_api_no_memory ();
    }
    if (error != SAKER_OK) {
        free_waiter (waiter);
        return error;
    }
    waiter->bytes = sizeof *waiter + waiter->client.capacity
                    + waiter->targets_count * sizeof *waiter->targets
                    + waiter->seen.clock.count * (sizeof (skr_tick_t) + sizeof (uint64_t))
                    + waiter->members_count * sizeof *waiter->members
                    + waiter->collections_count * sizeof *waiter->collections;
    self->waiters_bytes += waiter->bytes;
    self->waiters[self->waiters_count++] = waiter;
    call->when = SKR_API_DEFERRED;
    return SAKER_OK;
}

bool skr_api_answer_waiter (skr_api_t *self, const skr_api_waiter_t *waiter, saker_err_t error,
                            const skr_buf_t *body)
{
    static const skr_span_t nothing;
    if (error == SAKER_OK && body && body->failed) {
        error = skr_api_no_memory ();
    }
    skr_api_answer (self, skr_span_of (&waiter->client), waiter->number, error,
                    body ? skr_span_of (body) : nothing, skr_error ());
    return true;
}

void skr_api_turn (skr_api_t *self)
{
    uint64_t now_ms = self->waiters_count > 0 ? skr_api_now_ms (self) : 0;
    skr_api_backup_turn (self);
    skr_api_trend_turn (self);
    for (size_t i = self->waiters_count; i-- > 0;) {
        skr_api_waiter_t *waiter = self->waiters[i];
        if (waiter->look (self, waiter, now_ms >= waiter->deadline_ms)) {
            remove_waiter (self, i);
        }
    }
}

uint64_t skr_api_deadline_ms (const skr_api_t *self)
{
    uint64_t deadline_ms = UINT64_MAX;
    for (size_t i = 0; i < self->waiters_count; i++) {
        const skr_api_waiter_t *waiter = self->waiters[i];
        uint64_t due_ms = waiter->deadline_ms;
        if (waiter->collections_count > 0 && waiter->asked_ms + SKR_API_ASK_AGAIN_MS < due_ms) {
            due_ms = waiter->asked_ms + SKR_API_ASK_AGAIN_MS;
        }
        deadline_ms = due_ms < deadline_ms ? due_ms : deadline_ms;
    }
    return deadline_ms;
}
