/* Records in SKR_META:

     "home"     machine 16, born u64, file u64, boot token 8, the one before 8
     "renewed"  why u8, wall time u64
     "earlier"  the writers before this one that this store alone had: 16 each

   The boot file is BOOT_PREFIX and its token in digits. Its turn: the new token is committed with
   the old one beside it, then the new file is made, then the old one is removed; so whichever of
   these steps is the last before a crash, only files that the record names are there. */

#include "peer/incarnation.h"

#include "peer/carrying.h"
#include "peer/folder.h"
#include "peer/replica_internal.h"

#include <dirent.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HOME_KEY "home"
#define RENEWED_KEY "renewed"
#define EARLIER_KEY "earlier"
#define EARLIER_MAX 64
#define TOKEN_BYTES 8
#define HOME_BYTES (16 + 8 + 8 + 2 * TOKEN_BYTES)
#define RENEWED_BYTES 9
#define BOOT_PREFIX "boot-"
#define BOOT_NAME_BYTES (sizeof BOOT_PREFIX + 2 * TOKEN_BYTES)

static const struct {
    const char *text, *sentence;
} doubts[SKR_DOUBTS] = {
    [SKR_DOUBT_NONE] = {"", ""},
    [SKR_DOUBT_MACHINE] = {"machine", "this store was copied here from another machine"},
    [SKR_DOUBT_COPY] = {"copy", "this store is a copy of another one"},
    [SKR_DOUBT_OLDER] = {"older", "an older copy was put over this store"},
    [SKR_DOUBT_RESTORED] = {"restored", "this store was restored from a backup"},
    [SKR_DOUBT_AHEAD] = {"ahead", "other peers hold changes of this store that it does not know: "
                                  "it was put back to an older state, or a copy of it runs"},
    [SKR_DOUBT_FORK] = {"fork", "other peers hold other changes than this store under the same "
                                "numbers: it was put back to an older state, or a copy of it runs"},
    [SKR_DOUBT_TWIN] = {"twin", "a copy of this store runs on another machine"},
    [SKR_DOUBT_CLOSED] = {"closed", "a right of this device was taken, and given back"},
    [SKR_DOUBT_FENCED] = {"fenced", "this device was away for so long that the others stopped "
                                    "waiting for it, or goes on from a backup elsewhere"},
    [SKR_DOUBT_UNDONE] = {"undone",
                          "changes of this device were taken back, until what they depend "
                          "on is here again"},
    [SKR_DOUBT_VOUCHED] = {"vouched", "this device issues again what another had written when its "
                                      "right was taken here, and a fence made void"},
};

const char *skr_doubt_text (skr_doubt_t why)
{
    return why < SKR_DOUBTS ? doubts[why].text : "later";
}

const char *skr_doubt_sentence (skr_doubt_t why)
{
    return why < SKR_DOUBTS ? doubts[why].sentence : "a later version took a new incarnation";
}

const skr_renewal_t *skr_replica_renewal (const skr_replica_t *self)
{
    return &self->renewal;
}

/* ---- taking a new one */

static saker_err_t put_meta (skr_replica_t *self, const char *key, const uint8_t *value,
                             size_t size)
{
    return skr_store_put (self->store, SKR_META, skr_span_text (key), skr_span (value, size));
}

static saker_err_t take_key (skr_span_t key, skr_span_t value, void *argument)
{
    skr_buf_t *keys = argument;
    (void) value;
    if (key.size == 32) {
        skr_buf_append_span (keys, key);
    }
    return keys->failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

/* A ticket is good once: whether it was used after the copy was made is not known here. */
static saker_err_t end_tickets (skr_replica_t *self)
{
    skr_span_t none = skr_span (NULL, 0);
    skr_buf_t keys = {0};
    saker_err_t error =
        skr_store_scan (self->store, SKR_GROUP, SKR_INVITATIONS, none, none, take_key, &keys);
    for (size_t at = 0; error == SAKER_OK && at < keys.size; at += 32) {
        error = skr_store_remove (self->store, SKR_INVITATIONS, skr_span (keys.data + at, 32));
    }
    skr_buf_free (&keys);
    return error;
}

saker_err_t skr_incarnation_introduce (skr_replica_t *self)
{
    const uint8_t *device = skr_device_key (self->device);
    skr_buf_t statement = {0}, seen = {0}, carries = {0};
    skr_roster_seen (self->roster, device, NULL, &seen);
    skr_statement_incarnate (&statement, device, self->incarnation, skr_span_of (&seen));
    skr_buf_free (&seen);
    saker_err_t error = skr_carrying_restate (self, &carries);
    const skr_span_t spans[] = {skr_span_of (&statement), skr_span_of (&carries)};
    error = statement.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : error;
    error = error ? error : skr_replica_state (self, spans, carries.size ? 2 : 1);
    skr_buf_free (&statement);
    skr_buf_free (&carries);
    return skr_wrap (error, "introduce this device");
}

/* A writer that was closed while this store was the one that had it: what it wrote is ours to issue
   again. Of a store that was copied nobody knows which of the copies would. */
static saker_err_t note_earlier (skr_replica_t *self, skr_doubt_t why)
{
    skr_buf_t record = {0};
    skr_span_t known;
    saker_err_t error =
        skr_store_get (self->store, SKR_GROUP, SKR_META, skr_span_text (EARLIER_KEY), &known);
    bool alone = why == SKR_DOUBT_CLOSED || why == SKR_DOUBT_FENCED || why == SKR_DOUBT_UNDONE
                 || why == SKR_DOUBT_VOUCHED;
    skr_buf_append (&record, self->writer.bytes, alone ? sizeof self->writer.bytes : 0);
    if (error == SAKER_OK && alone) {
        size_t most = (size_t) (EARLIER_MAX - 1) * sizeof self->writer.bytes;
        skr_buf_append (&record, known.data, known.size < most ? known.size : most);
    }
    if (error == SAKER_OK || error == SAKER_ENOTFOUND) {
        error = record.failed ? skr_fail (SAKER_ENOMEM, "out of memory")
                              : put_meta (self, EARLIER_KEY, record.data, record.size);
    }
    skr_buf_free (&record);
    return error;
}

saker_err_t skr_incarnation_earlier (skr_replica_t *self, const skr_id_t *writer, bool *earlier)
{
    skr_span_t known;
    saker_err_t error =
        skr_store_get (self->store, SKR_GROUP, SKR_META, skr_span_text (EARLIER_KEY), &known);
    *earlier = false;
    for (size_t at = 0; error == SAKER_OK && at + sizeof writer->bytes <= known.size;
         at += sizeof writer->bytes) {
        *earlier |= memcmp (known.data + at, writer->bytes, sizeof writer->bytes) == 0;
    }
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

static saker_err_t renew (skr_replica_t *self, skr_doubt_t why)
{
    uint8_t record[RENEWED_BYTES];
    SKR_TRY (note_earlier (self, why));
    self->renewal.why = why;
    self->renewal.wall_ms = self->world->wall_ms (self->world->context);
    randombytes_buf (self->incarnation, sizeof self->incarnation);
    randombytes_buf (self->epoch.bytes, sizeof self->epoch.bytes);
    skr_device_writer (skr_device_key (self->device), self->incarnation, &self->writer);
    record[0] = (uint8_t) why;
    skr_put_u64 (record + 1, self->renewal.wall_ms);
    SKR_TRY (skr_replica_put_meta (self));
    SKR_TRY (put_meta (self, RENEWED_KEY, record, sizeof record));
    SKR_TRY (end_tickets (self));
    return skr_incarnation_introduce (self);
}

static void tell (const skr_replica_t *self, skr_doubt_t why)
{
    skr_log (self->world, SKR_LOG_WARNING,
             "%s: from here on it writes as a new incarnation; what it holds is kept",
             skr_doubt_sentence (why));
}

saker_err_t skr_incarnation_renew (skr_replica_t *self, skr_doubt_t why)
{
    bool in_group = skr_replica_in_group (self);
    SKR_TRY (skr_replica_begin (self));
    self->doubt = SKR_DOUBT_NONE;
    saker_err_t error = renew (self, why);
    if (error != SAKER_OK) {
        self->doubt = why; /* it is still due */
        error = skr_replica_spoil (self, error);
    }
    if (!in_group && error == SAKER_OK) {
        error = skr_replica_commit (self);
    } else if (!in_group) {
        skr_replica_abort (self);
    }
    if (error == SAKER_OK) {
        tell (self, why);
    }
    return skr_wrap (error, "take a new incarnation");
}

saker_err_t skr_incarnation_load (skr_replica_t *self)
{
    skr_span_t record;
    skr_renewal_t *renewal = &self->renewal;
    memset (renewal, 0, sizeof *renewal);
    saker_err_t error =
        skr_store_get (self->store, SKR_COMMITTED, SKR_META, skr_span_text (RENEWED_KEY), &record);
    if (error == SAKER_OK && record.size == RENEWED_BYTES) {
        renewal->why = (skr_doubt_t) record.data[0];
        renewal->wall_ms = skr_get_u64 (record.data + 1);
    }
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

void skr_incarnation_committed (skr_replica_t *self)
{
    self->identity =
        (skr_identity_t){.writer = self->writer, .epoch = self->epoch, .renewal = self->renewal};
    memcpy (self->identity.incarnation, self->incarnation, sizeof self->incarnation);
}

void skr_incarnation_aborted (skr_replica_t *self)
{
    if (!skr_id_equal (&self->writer, &self->identity.writer)) {
        self->doubt = self->renewal.why; /* it did not last, and is due again */
    }
    self->writer = self->identity.writer;
    self->epoch = self->identity.epoch;
    self->renewal = self->identity.renewal;
    memcpy (self->incarnation, self->identity.incarnation, sizeof self->incarnation);
}

/* ---- where it lives */

typedef struct home_t {
    skr_home_t at;
    uint8_t token[TOKEN_BYTES], before[TOKEN_BYTES]; /* zeros: none */
} home_t;

static void encode_home (const home_t *home, uint8_t record[HOME_BYTES])
{
    memcpy (record, home->at.machine, 16);
    skr_put_u64 (record + 16, home->at.born_ns);
    skr_put_u64 (record + 24, home->at.file);
    memcpy (record + 32, home->token, TOKEN_BYTES);
    memcpy (record + 32 + TOKEN_BYTES, home->before, TOKEN_BYTES);
}

static saker_err_t read_home (skr_replica_t *self, home_t *home, bool *noted)
{
    skr_span_t record;
    memset (home, 0, sizeof *home);
    saker_err_t error =
        skr_store_get (self->store, SKR_COMMITTED, SKR_META, skr_span_text (HOME_KEY), &record);
    *noted = error == SAKER_OK && record.size == HOME_BYTES;
    if (*noted) {
        memcpy (home->at.machine, record.data, 16);
        home->at.born_ns = skr_get_u64 (record.data + 16);
        home->at.file = skr_get_u64 (record.data + 24);
        memcpy (home->token, record.data + 32, TOKEN_BYTES);
        memcpy (home->before, record.data + 32 + TOKEN_BYTES, TOKEN_BYTES);
    }
    return error == SAKER_ENOTFOUND ? SAKER_OK : error;
}

/* False when nothing is known. The machine's id is mixed with the device's key: the record tells
   nothing about the machine to who has the store. */
static bool look_at_home (const skr_replica_t *self, skr_home_t *home)
{
    memset (home, 0, sizeof *home);
    if (!self->world->home
        || !self->world->home (self->world->context, skr_store_folder (self->store), home)) {
        return false;
    }
    if (!sodium_is_zero (home->machine, sizeof home->machine)) {
        uint8_t mixed[16];
        crypto_generichash (mixed, sizeof mixed, home->machine, sizeof home->machine,
                            skr_device_key (self->device), SKR_DEVICE_KEY_BYTES);
        memcpy (home->machine, mixed, sizeof mixed);
    }
    return true;
}

static bool is_other_machine (const skr_home_t *noted, const skr_home_t *now)
{
    return !sodium_is_zero (noted->machine, 16) && !sodium_is_zero (now->machine, 16)
           && memcmp (noted->machine, now->machine, 16) != 0;
}

/* Numbers of files may be given anew at each mount (FAT); times are not. */
static bool is_other_file (const skr_home_t *noted, const skr_home_t *now)
{
    return noted->born_ns && now->born_ns ? noted->born_ns != now->born_ns
                                          : noted->file != now->file;
}

/* ---- the boot file */

static void boot_name (const uint8_t token[TOKEN_BYTES], char name[BOOT_NAME_BYTES])
{
    memcpy (name, BOOT_PREFIX, sizeof BOOT_PREFIX - 1);
    skr_hex (name + sizeof BOOT_PREFIX - 1, token, TOKEN_BYTES);
}

static bool is_named (const char *name, const uint8_t token[TOKEN_BYTES])
{
    char wanted[BOOT_NAME_BYTES];
    boot_name (token, wanted);
    return !sodium_is_zero (token, TOKEN_BYTES) && strcmp (name, wanted) == 0;
}

typedef struct boots_t {
    bool token, before, strange; /* which files are there */
} boots_t;

static void look_at_boots (const skr_replica_t *self, const home_t *home, boots_t *boots)
{
    struct dirent *entry;
    DIR *listing = opendir (skr_store_folder (self->store));
    memset (boots, 0, sizeof *boots);
    while (listing && (entry = readdir (listing))) {
        if (strncmp (entry->d_name, BOOT_PREFIX, sizeof BOOT_PREFIX - 1) != 0) {
            continue;
        }
        bool token = is_named (entry->d_name, home->token);
        bool before = is_named (entry->d_name, home->before);
        boots->token |= token;
        boots->before |= before;
        boots->strange |= !token && !before;
    }
    if (listing) {
        (void) closedir (listing);
    }
}

static void remove_boots (const skr_replica_t *self, const home_t *home, bool keep_before)
{
    const char *folder = skr_store_folder (self->store);
    struct dirent *entry;
    DIR *listing = opendir (folder);
    while (listing && (entry = readdir (listing))) {
        bool kept = is_named (entry->d_name, home->token)
                    || (keep_before && is_named (entry->d_name, home->before));
        if (strncmp (entry->d_name, BOOT_PREFIX, sizeof BOOT_PREFIX - 1) == 0 && !kept) {
            skr_folder_unlink (folder, entry->d_name);
        }
    }
    if (listing) {
        (void) closedir (listing);
    }
}

/* On a disk without room the old file stays: the record names it as well. */
static void turn_boot (const skr_replica_t *self, const home_t *home)
{
    char name[BOOT_NAME_BYTES];
    const char *folder = skr_store_folder (self->store);
    boot_name (home->token, name);
    bool made = skr_folder_mark (folder, name) == SAKER_OK && skr_folder_sync (folder) == SAKER_OK;
    if (!made) {
        skr_log (self->world, SKR_LOG_WARNING, "%s", skr_error ());
    }
    remove_boots (self, home, !made);
}

/* ---- opening */

static saker_err_t put_home (skr_replica_t *self, const home_t *home)
{
    uint8_t record[HOME_BYTES];
    encode_home (home, record);
    return put_meta (self, HOME_KEY, record, sizeof record);
}

saker_err_t skr_incarnation_found (skr_replica_t *self)
{
    home_t home;
    memset (&home, 0, sizeof home);
    /* without a boot file: there may be none before the first start */
    return look_at_home (self, &home.at) ? put_home (self, &home) : SAKER_OK;
}

/* A store from before homes were noted is taken for what it says it is. */
static skr_doubt_t judge (const home_t *noted, const skr_home_t *now, const boots_t *boots)
{
    bool booted = !sodium_is_zero (noted->token, TOKEN_BYTES);
    if (is_other_machine (&noted->at, now)) {
        return SKR_DOUBT_MACHINE;
    }
    if (is_other_file (&noted->at, now)) {
        return SKR_DOUBT_COPY;
    }
    return boots->strange || (booted && !boots->token && !boots->before) ? SKR_DOUBT_OLDER
                                                                         : SKR_DOUBT_NONE;
}

static bool is_introduced (const skr_replica_t *self)
{
    return skr_roster_by_writer (self->roster, &self->writer) != NULL;
}

static saker_err_t begin_in_group (skr_replica_t *self, skr_doubt_t why, const home_t *home)
{
    SKR_TRY (skr_replica_begin (self));
    if (why != SKR_DOUBT_NONE) {
        SKR_TRY (renew (self, why));
    } else if (!is_introduced (self)) {
        SKR_TRY (skr_incarnation_introduce (self));
    }
    SKR_TRY (home ? put_home (self, home) : SAKER_OK);
    return skr_replica_commit (self);
}

/* `home` NULL: nobody knows. *noted: it is in the store now. */
static saker_err_t begin_anew (skr_replica_t *self, skr_doubt_t why, const home_t *home,
                               bool *noted)
{
    bool needed = why != SKR_DOUBT_NONE || !is_introduced (self);
    *noted = false;
    if (!needed && !home) {
        return SAKER_OK;
    }
    saker_err_t error = begin_in_group (self, why, home);
    if (error == SAKER_OK) {
        *noted = home != NULL;
        return SAKER_OK;
    }
    self->group_error = error; /* for the abort: the store's group may be gone already */
    skr_replica_abort (self);
    if (error == SAKER_EFULL && !needed) {
        /* design 6: a full disk can still be read */
        skr_log (self->world, SKR_LOG_WARNING, "note where the store lives: %s", skr_error ());
        return SAKER_OK;
    }
    return why == SKR_DOUBT_NONE
               ? error
               : skr_wrap (error, "%s, and needs a new incarnation", skr_doubt_sentence (why));
}

saker_err_t skr_incarnation_begin (skr_replica_t *self, skr_doubt_t why)
{
    home_t home, fresh;
    boots_t boots;
    bool noted;
    memset (&fresh, 0, sizeof fresh);
    SKR_TRY (read_home (self, &home, &noted));
    skr_store_forget (self->store);
    bool known = look_at_home (self, &fresh.at);
    look_at_boots (self, &home, &boots);
    if (why == SKR_DOUBT_NONE && noted && known) {
        why = judge (&home, &fresh.at, &boots);
    }
    randombytes_buf (fresh.token, sizeof fresh.token);
    memcpy (fresh.before, boots.token ? home.token : home.before, sizeof fresh.before);
    SKR_TRY (begin_anew (self, why, known ? &fresh : NULL, &noted));
    if (noted) {
        turn_boot (self, &fresh);
    }
    if (why != SKR_DOUBT_NONE) {
        tell (self, why);
    }
    return SAKER_OK;
}
