#include "gateway/account.h"

#include "gateway/instant.h"
#include "gateway/lookup.h"
#include "say.h"

#include <sodium.h>
#include <string.h>

#define AGAIN_MS 500
#define OTHERS_SIZE (LEASE_PEERS_MAX * (LEASE_DEVICE_SIZE + 1))

/* ---- how far it is */

/* Of a change that is done with as a whole, a number; otherwise a text of the number, a space and
   the last document: those of a change come in byte order, so it tells them apart where the feed no
   longer has the change. */
static bool split_progress (const saker_value_t *value, int64_t *number,
                            char document[HOOK_DOCUMENT_SIZE])
{
    char text[24 + HOOK_DOCUMENT_SIZE], *end;
    document[0] = 0;
    if (value->type == SAKER_INT) {
        *number = value->as.integer;
        return true;
    }
    if (value->type != SAKER_TEXT || value->as.string.size >= sizeof text) {
        return false;
    }
    memcpy (text, value->as.string.data, value->as.string.size);
    text[value->as.string.size] = 0;
    *number = strtoll (text, &end, 10);
    snprintf (document, HOOK_DOCUMENT_SIZE, "%.*s", SAKER_DOCUMENT_BYTES_MAX,
              *end == ' ' ? end + 1 : "");
    return *end == ' ';
}

static bool split_writer (const char *pointer, uint8_t writer[16])
{
    size_t size = 0;
    return strlen (pointer) == 33
           && sodium_hex2bin (writer, 16, pointer + 1, 32, NULL, &size, NULL) == 0 && size == 16;
}

typedef struct reading_t {
    delivered_t *delivered;
    bool failed;
} reading_t;

static int take_number (const saker_leaf_t *leaf, void *argument)
{
    reading_t *reading = argument;
    uint8_t writer[16];
    int64_t number;
    char document[HOOK_DOCUMENT_SIZE];
    if (split_writer (leaf->pointer, writer) && split_progress (&leaf->value, &number, document)) {
        reading->failed |= !delivered_raise (reading->delivered, writer, number);
    }
    return reading->failed;
}

saker_err_t account_read (call_t *call, const char *collection, const char *hook,
                          delivered_t *delivered)
{
    char document[HOOK_DOCUMENT_SIZE];
    reading_t reading = {.delivered = delivered};
    hook_document ("progress", hook, document);
    saker_err_t error = saker_read (call->peer, collection, document, "", take_number, &reading);
    if (error == SAKER_ENOTFOUND || error == SAKER_ENOTCARRIED) {
        return SAKER_OK;
    }
    return reading.failed ? call_memory (call) : call_library (call, error);
}

typedef struct parting_t {
    const uint8_t *writer;
    int64_t number;
    char *document;
} parting_t;

static int take_part (const saker_leaf_t *leaf, void *argument)
{
    parting_t *parting = argument;
    uint8_t writer[16];
    int64_t number;
    char document[HOOK_DOCUMENT_SIZE];
    if (split_writer (leaf->pointer, writer) && memcmp (writer, parting->writer, 16) == 0
        && split_progress (&leaf->value, &number, document) && number > parting->number) {
        parting->number = number;
        memcpy (parting->document, document, sizeof document);
    }
    return 0;
}

bool account_has_sent (courier_t *self, const uint8_t writer[16], uint64_t seq,
                       const char *document)
{
    char name[HOOK_DOCUMENT_SIZE], writer_text[33], pointer[34], last[HOOK_DOCUMENT_SIZE] = "";
    parting_t parting = {.writer = writer, .number = -1, .document = last};
    hook_document ("progress", self->hook.name, name);
    say_hex (writer, writer_text);
    snprintf (pointer, sizeof pointer, "/%s", writer_text);
    saker_err_t error =
        saker_read (self->call.peer, courier_hooks (self), name, pointer, take_part, &parting);
    return error == SAKER_OK && parting.number > 0
           && (uint64_t) parting.number >> DELIVERED_SHIFT == seq && strcmp (document, last) <= 0;
}

static void raise (courier_t *self, const letter_t *letter)
{
    pthread_mutex_lock (&self->office->mutex);
    (void) delivered_raise (&self->delivered, letter->writer, letter->number);
    pthread_mutex_unlock (&self->office->mutex);
}

bool account_covers (courier_t *self, const uint8_t writer[16], int64_t number, uint64_t time_ms)
{
    pthread_mutex_lock (&self->office->mutex);
    int64_t known = delivered_get (&self->delivered, writer);
    int64_t made_ms = self->fresh.made_ms;
    pthread_mutex_unlock (&self->office->mutex);
    return known >= 0 ? number <= known : (int64_t) time_ms < made_ms;
}

static saker_err_t add_progress (courier_t *self, saker_batch_t *batch, const letter_t *letter)
{
    char document[HOOK_DOCUMENT_SIZE], writer[33], pointer[34], text[24 + HOOK_DOCUMENT_SIZE];
    saker_value_t value = {.type = SAKER_INT, .as.integer = letter->number};
    if (letter->number != delivered_whole (letter->seq)) {
        int size =
            snprintf (text, sizeof text, "%lld %s", (long long) letter->number, letter->document);
        value.type = SAKER_TEXT;
        value.as.string.data = text;
        value.as.string.size = (size_t) size;
    }
    hook_document ("progress", self->hook.name, document);
    say_hex (letter->writer, writer);
    snprintf (pointer, sizeof pointer, "/%s", writer);
    return call_library (&self->call, saker_batch_set_lww (batch, document, pointer, &value));
}

/* ---- writing */

/* Would it be written at another time? */
static bool may_help (saker_err_t error)
{
    return error != SAKER_OK && error != SAKER_ENOTFOUND && error != SAKER_ENOTCARRIED
           && error != SAKER_EINPUT && error != SAKER_ELIMIT && error != SAKER_ETYPE;
}

/* What was sent must be known: tries until it is written. */
static bool write_batch (courier_t *self, saker_batch_t *batch)
{
    char others[OTHERS_SIZE];
    saker_err_t error = saker_write (self->call.peer, batch, NULL);
    if (error != SAKER_OK && error != SAKER_ENOTFOUND) {
        office_log (self->office, 1, "hooks: %s: cannot write what was sent: %s", self->hook.name,
                    saker_error_text ());
    }
    while (may_help (error) && !courier_is_ending (self)) {
        office_rest (self->office, AGAIN_MS);
        error = saker_write (self->call.peer, batch, NULL);
    }
    office_others (self->office, others, sizeof others);
    if (error == SAKER_OK && *others) {
        (void) saker_wait (self->call.peer, others, OFFICE_CONFIRM_MS);
    }
    return error == SAKER_OK;
}

static saker_err_t add_letter (courier_t *self, saker_batch_t *batch, const char *kind,
                               const letter_t *letter)
{
    char document[HOOK_DOCUMENT_SIZE];
    hook_below (kind, self->hook.name, letter->id, document);
    json_t *json = letter_json (letter);
    saker_err_t error =
        json ? lookup_put (&self->call, batch, document, "", json) : call_memory (&self->call);
    json_decref (json);
    return error;
}

static saker_err_t delete_aside (courier_t *self, saker_batch_t *batch, const letter_t *letter)
{
    char document[HOOK_DOCUMENT_SIZE];
    hook_below ("aside", self->hook.name, letter->id, document);
    return call_library (&self->call, saker_batch_delete (batch, document, ""));
}

static void set_aside (courier_t *self, const letter_t *letter)
{
    pthread_mutex_lock (&self->office->mutex);
    (void) office_put_aside (self, letter);
    pthread_mutex_unlock (&self->office->mutex);
}

bool account_is_dead (const courier_t *self, const letter_t *letter)
{
    return letter->attempts >= self->hook.attempts;
}

static void tell_dead (const courier_t *self, const letter_t *letter)
{
    office_log (self->office, 1,
                "hooks: %s: event %s was not taken in %u attempt%s (%s): see saker hooks dead",
                self->hook.name, letter->id, letter->attempts, letter->attempts == 1 ? "" : "s",
                letter->why);
}

/* Sets letters of the feed aside, by one change. */
bool account_set_aside (courier_t *self, letter_t *letters, size_t count, bool progress)
{
    saker_batch_t *batch = saker_batch_new (courier_hooks (self));
    saker_err_t error = batch ? SAKER_OK : SAKER_ENOMEM;
    int64_t now_ms = instant_wall_ms ();
    for (size_t i = 0; i < count && error == SAKER_OK; i++) {
        letters[i].since_ms = now_ms;
        error = add_letter (self, batch, account_is_dead (self, &letters[i]) ? "dead" : "aside",
                            &letters[i]);
        if (error == SAKER_OK && progress) {
            error = add_progress (self, batch, &letters[i]);
        }
    }
    bool written = error == SAKER_OK && write_batch (self, batch);
    for (size_t i = 0; i < count && written; i++) {
        if (account_is_dead (self, &letters[i])) {
            tell_dead (self, &letters[i]);
        } else {
            set_aside (self, &letters[i]);
        }
        if (progress) {
            raise (self, &letters[i]);
        }
    }
    saker_batch_destroy (&batch);
    return written;
}

bool account_done (courier_t *self, const letter_t *letter)
{
    saker_batch_t *batch = saker_batch_new (courier_hooks (self));
    bool written =
        batch && add_progress (self, batch, letter) == SAKER_OK && write_batch (self, batch);
    if (written) {
        raise (self, letter);
    }
    saker_batch_destroy (&batch);
    return written;
}

void account_forget (courier_t *self, const letter_t *letter)
{
    pthread_mutex_lock (&self->office->mutex);
    office_drop_aside (self, letter->id);
    pthread_mutex_unlock (&self->office->mutex);
}

/* A letter that was set aside is done with, or dead. Somebody may have taken it away meanwhile. */
void account_end (courier_t *self, const letter_t *letter, bool dead)
{
    saker_batch_t *batch = saker_batch_new (courier_hooks (self));
    saker_err_t error = batch ? delete_aside (self, batch, letter) : SAKER_ENOMEM;
    if (error == SAKER_OK && dead) {
        error = add_letter (self, batch, "dead", letter);
    }
    if (error == SAKER_OK && write_batch (self, batch) && dead) {
        tell_dead (self, letter);
    }
    saker_batch_destroy (&batch);
    account_forget (self, letter);
}

void account_again (courier_t *self, const letter_t *letter)
{
    saker_batch_t *batch = saker_batch_new (courier_hooks (self));
    if (batch && add_letter (self, batch, "aside", letter) == SAKER_OK
        && write_batch (self, batch)) {
        set_aside (self, letter);
    }
    saker_batch_destroy (&batch);
}

void account_gone (courier_t *self)
{
    static const char reason[] = "the receiver answered 410: it wants no more";
    char document[HOOK_DOCUMENT_SIZE];
    saker_batch_t *batch = saker_batch_new (courier_hooks (self));
    json_t *json = json_pack ("{s:s,s:s}", "state", "gone", "reason", reason);
    hook_document ("hook", self->hook.name, document);
    if (batch && json && lookup_put (&self->call, batch, document, "", json) == SAKER_OK
        && write_batch (self, batch)) {
        pthread_mutex_lock (&self->office->mutex);
        self->fresh.state = HOOK_GONE;
        pthread_mutex_unlock (&self->office->mutex);
    }
    json_decref (json);
    saker_batch_destroy (&batch);
    office_log (self->office, 1, "hooks: %s: %s", self->hook.name, reason);
}
