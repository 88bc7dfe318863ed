#include "mesh/answer.h"

#include "mesh/ration.h"
#include "peer/cut.h"
#include "peer/partial.h"
#include "peer/ranging.h"
#include "peer/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROSTER_BYTES_MAX (900u << 10) /* of one answer to JOIN: the next holds the rest */
#define LOOKS_A_SNAPSHOT 10000        /* and one for so many bytes of it: see ration.h */
#define LOOK_BYTES 64
#define WRITERS_A_LOOK 16 /* looked for in the log */

/* A snapshot that is kept as a file, for whoever asks. */
typedef struct offer_t {
    skr_id_t collection;
    skr_extract_t extract;
    uint64_t size; /* 0: free */
    uint8_t hash[32];
    uint64_t used;     /* counts up; the smallest goes first */
    skr_clock_t clock; /* of the collection when it was made */
    uint64_t changes;
    size_t place; /* in the ration, and 1, of who asked for this part; 0: for all */
} offer_t;

struct skr_answerer_t {
    skr_replica_t *replica;
    uint16_t pub_port;
    uint8_t instance[SKR_WIRE_INSTANCE_BYTES];
    skr_buf_t book;
    char folder[PATH_MAX - 128];
    offer_t offers[SKR_ANSWER_SNAPSHOTS_MAX];
    uint64_t uses;
    skr_ration_t ration;
    uint64_t bad_requests;
};

/* One request being answered. */
typedef struct request_t {
    skr_answerer_t *self;
    const skr_asker_t *asker;
    uint64_t number;
    skr_wire_kind_t kind;
    size_t count;
    skr_cbor_t cbor;
    skr_buf_t *answer;
    bool held;
    skr_said_t said;
} request_t;

typedef saker_err_t answer_fn (request_t *request);

/* ---- snapshots on offer */

static void offer_file (const skr_answerer_t *self, const offer_t *offer, char file[PATH_MAX])
{
    char text[65];
    skr_hex (text, offer->hash, sizeof offer->hash);
    snprintf (file, PATH_MAX, "%s/%s", self->folder, text);
}

static void drop_offer (skr_answerer_t *self, offer_t *offer)
{
    char file[PATH_MAX];
    if (offer->size) {
        offer_file (self, offer, file);
        unlink (file);
        skr_clock_free (&offer->clock);
        skr_part_free (&offer->extract.part);
        memset (offer, 0, sizeof *offer);
    }
}

static void empty_folder (const char *folder)
{
    DIR *listing = opendir (folder);
    if (!listing) {
        return;
    }
    for (struct dirent *entry; (entry = readdir (listing));) {
        if (entry->d_name[0] != '.') {
            unlinkat (dirfd (listing), entry->d_name, 0);
        }
    }
    closedir (listing);
}

/* Who asks for many parts drives out its own: what others are fetching stays. */
static offer_t *free_offer (skr_answerer_t *self, size_t place)
{
    offer_t *oldest = &self->offers[0], *own = NULL;
    size_t count = 0;
    for (size_t i = 0; i < SKR_ANSWER_SNAPSHOTS_MAX; i++) {
        offer_t *offer = &self->offers[i];
        bool same = place && offer->size && offer->place == place;
        count += same;
        own = same && (!own || offer->used < own->used) ? offer : own;
        oldest = offer->used < oldest->used ? offer : oldest;
    }
    oldest = count < SKR_ANSWER_PARTS_MAX ? oldest : own;
    drop_offer (self, oldest);
    return oldest;
}

static saker_err_t write_offer (skr_answerer_t *self, const skr_collection_t *collection,
                                const skr_extract_t *extract, offer_t *offer)
{
    char draft[PATH_MAX];
    char file[PATH_MAX];
    snprintf (draft, sizeof draft, "%s/draft", self->folder);
    unlink (draft);
    SKR_TRY (skr_snapshot_make (self->replica, &collection->id, extract, draft, &offer->size,
                                offer->hash));
    SKR_TRY (skr_clock_copy (&offer->clock, &collection->clock));
    SKR_TRY (skr_part_copy (&offer->extract.part, &extract->part));
    offer_file (self, offer, file);
    return rename (draft, file) == 0
               ? SAKER_OK
               : skr_fail (SAKER_EIO, "rename %s: %s", draft, strerror (errno));
}

static saker_err_t make_offer (skr_answerer_t *self, const skr_collection_t *collection,
                               const skr_extract_t *extract, size_t place, offer_t **made)
{
    offer_t offer = {.collection = collection->id,
                     .extract = {.sealed = extract->sealed},
                     .changes = collection->changes,
                     .place = place};
    saker_err_t error = write_offer (self, collection, extract, &offer);
    if (error != SAKER_OK) {
        skr_clock_free (&offer.clock);
        skr_part_free (&offer.extract.part);
        return error;
    }
    *made = free_offer (self, place);
    **made = offer;
    return SAKER_OK;
}

/* The snapshot of a collection that is kept, if it is not much older than the collection, nothing
   in it was taken back since, the log goes on from it, and it reaches far enough. */
static offer_t *kept_offer (skr_answerer_t *self, const skr_collection_t *collection,
                            const skr_extract_t *extract, const skr_clock_t *least)
{
    for (size_t i = 0; i < SKR_ANSWER_SNAPSHOTS_MAX; i++) {
        offer_t *offer = &self->offers[i];
        if (offer->size && offer->extract.sealed == extract->sealed
            && skr_part_equal (&offer->extract.part, &extract->part)
            && skr_clock_covers (&offer->clock, least)
            && skr_id_equal (&offer->collection, &collection->id)
            && collection->changes - offer->changes <= collection->changes / 8
            && skr_clock_covers (&collection->clock, &offer->clock)
            && skr_clock_covers (&offer->clock, skr_cut_clock (self->replica, &collection->id))) {
            return offer;
        }
    }
    return NULL;
}

static offer_t *find_offer (skr_answerer_t *self, const uint8_t id[16])
{
    for (size_t i = 0; i < SKR_ANSWER_SNAPSHOTS_MAX; i++) {
        if (self->offers[i].size && memcmp (self->offers[i].hash, id, 16) == 0) {
            return &self->offers[i];
        }
    }
    return NULL;
}

/* ---- one function a kind */

static saker_err_t refuse_to_read (void)
{
    return skr_fail (SAKER_ERIGHT, "what a collection holds is for who may read it");
}

static size_t place_of (const request_t *request)
{
    const skr_member_t *member = request->asker->member;
    return member ? skr_ration_place (&request->self->ration, member->device) : 0;
}

/* Has the asker taken no more than its ration? */
static saker_err_t check_ration (request_t *request)
{
    return skr_ration_may (&request->self->ration, place_of (request), request->asker->now_ms)
               ? SAKER_OK
               : skr_fail (SAKER_EBUSY, "this member asked for more lately than is its share: ask "
                                        "again in a second");
}

static void take_ration (request_t *request, uint64_t looks)
{
    skr_ration_take (&request->self->ration, place_of (request), looks, request->asker->now_ms);
}

/* What the asker may do in a collection. */
static skr_role_t role_of (const request_t *request, const skr_id_t *collection)
{
    return skr_roster_role (skr_replica_roster (request->self->replica),
                            request->asker->member->device, collection);
}

static saker_err_t want_arguments (request_t *request, size_t count)
{
    if (request->count != count) {
        return skr_fail (SAKER_EINPUT, "a request of kind %d has %zu arguments, not %zu",
                         request->kind, count, request->count);
    }
    return SAKER_OK;
}

static const skr_collection_t *collection_of (request_t *request)
{
    skr_id_t id;
    skr_cbor_get_fixed (&request->cbor, id.bytes, sizeof id.bytes);
    return skr_replica_collection (request->self->replica, &id);
}

static saker_err_t answer_hello (request_t *request)
{
    skr_answerer_t *self = request->self;
    SKR_TRY (want_arguments (request, 3));
    skr_span_t instance = skr_cbor_get_bytes (&request->cbor);
    if (instance.size != SKR_WIRE_INSTANCE_BYTES) {
        skr_cbor_reject (&request->cbor, "an instance has 8 bytes");
    }
    uint64_t pub_port = skr_cbor_get_uint (&request->cbor);
    if (pub_port > 65535) {
        skr_cbor_reject (&request->cbor, "not a port");
    }
    skr_span_t addresses = skr_cbor_get_raw (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    skr_wire_begin (request->answer, request->number, SKR_WIRE_HELLO, 5);
    skr_cbor_put_bytes (request->answer, skr_device_key (skr_replica_device (self->replica)), 32);
    skr_cbor_put_bytes (request->answer, skr_replica_writer (self->replica)->bytes, 16);
    skr_cbor_put_uint (request->answer, self->pub_port);
    skr_cbor_put_bytes (request->answer, self->instance, sizeof self->instance);
    skr_buf_append_span (request->answer, skr_span_of (&self->book));
    request->said = (skr_said_t){instance, (uint16_t) pub_port, addresses};
    return SAKER_OK;
}

/* The index after that of the collection named by `after`; 0 for none. */
static size_t index_after (const skr_replica_t *replica, skr_span_t after)
{
    size_t index = 0;
    while (after.size && index < skr_replica_collections (replica)) {
        const skr_collection_t *collection = skr_replica_collection_at (replica, index++);
        if (after.size == 16 && memcmp (collection->id.bytes, after.data, 16) == 0) {
            return index;
        }
    }
    return index;
}

static saker_err_t answer_state (request_t *request)
{
    skr_replica_t *replica = request->self->replica;
    SKR_TRY (want_arguments (request, 1));
    skr_span_t after = skr_cbor_get_bytes (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    size_t index = index_after (replica, after);
    size_t count = skr_replica_collections (replica) - index;
    bool more = count > SKR_WIRE_STATES_MAX;
    count = more ? SKR_WIRE_STATES_MAX : count;
    skr_wire_begin (request->answer, request->number, SKR_WIRE_STATE, 2);
    skr_cbor_put_array (request->answer, count);
    for (size_t i = index; i < index + count; i++) {
        const skr_collection_t *collection = skr_replica_collection_at (replica, i);
        uint8_t fingerprint[16];
        skr_fingerprint_bytes (&collection->fingerprint, fingerprint);
        skr_cbor_put_array (request->answer, 3);
        skr_cbor_put_bytes (request->answer, collection->id.bytes, 16);
        skr_cbor_put_uint (request->answer, skr_clock_digest (&collection->clock));
        skr_cbor_put_bytes (request->answer, fingerprint, sizeof fingerprint);
    }
    skr_cbor_put_uint (request->answer, more);
    return SAKER_OK;
}

/* Who carries a part compares with who carries more: that one adds up the same documents. */
static saker_err_t get_asked (request_t *request, const skr_collection_t *collection,
                              skr_part_sum_t *asked)
{
    skr_replica_t *replica = request->self->replica;
    if (request->count == 2) {
        skr_part_get (&request->cbor, &asked->part);
    }
    saker_err_t error = skr_cbor_close (&request->cbor);
    if (error == SAKER_OK && request->count == 2 && collection && !collection->sealed
        && role_of (request, &collection->id) >= SKR_ROLE_READ
        && skr_part_covers (&skr_partial_of (replica, &collection->id)->carried, &asked->part)) {
        error = skr_ration_sum (&request->self->ration, replica, collection, place_of (request),
                                request->asker->now_ms, asked);
    }
    if (error != SAKER_OK) {
        skr_part_free (&asked->part);
    }
    return error;
}

static saker_err_t answer_clock (request_t *request)
{
    static const skr_collection_t none;
    skr_replica_t *replica = request->self->replica;
    skr_beat_entry_t told = {.documents = 0};
    skr_part_sum_t asked = {.any = false};
    saker_err_t error = SAKER_OK;
    const skr_collection_t *roster = skr_replica_collection_at (replica, 0);
    SKR_TRY (request->count == 2 ? SAKER_OK : want_arguments (request, 1));
    const skr_collection_t *collection = collection_of (request);
    SKR_TRY (get_asked (request, collection, &asked));
    if (!roster) {
        error = skr_fail (SAKER_EIO, "the store could not be read again yet");
    }
    if (collection && error == SAKER_OK) {
        error = skr_cut_kept (replica, collection, &told.kept);
        error = error ? error : skr_replica_hashes (replica, collection, &told.hashes);
    }
    if (error != SAKER_OK) {
        free (told.kept);
        skr_part_free (&asked.part);
        return error;
    }
    const skr_partial_t *partial =
        skr_partial_of (replica, collection ? &collection->id : &none.id);
    collection = collection ? collection : &none;
    told.part = partial->carried; /* borrowed */
    told.removing = partial->removing;
    told.fingerprint = collection->fingerprint;
    told.documents = collection->documents;
    told.clock = collection->clock;
    bool parts = skr_beat_entry_is_partial (&told) || request->count == 2;
    skr_wire_begin (request->answer, request->number, SKR_WIRE_CLOCK, parts ? 8 : 6);
    skr_beat_entry_put (request->answer, &told);
    skr_clock_put (request->answer, &roster->clock);
    if (parts) {
        skr_beat_part_put (request->answer, &told);
        skr_wire_sum_put (request->answer, &asked);
    }
    skr_part_free (&asked.part);
    free (told.hashes);
    free (told.kept);
    return SAKER_OK;
}

/* What a part of a collection adds up to, for who may read it. */
static saker_err_t answer_range (request_t *request)
{
    skr_replica_t *replica = request->self->replica;
    SKR_TRY (want_arguments (request, 4));
    const skr_collection_t *collection = collection_of (request);
    skr_span_t from = skr_cbor_get_bytes (&request->cbor);
    skr_span_t to = skr_cbor_get_bytes (&request->cbor);
    uint64_t detail = skr_cbor_get_uint (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    if (!collection || collection->sealed || skr_id_is_zero (&collection->id)
        || from.size > SKR_DOCUMENT_BYTES_MAX || to.size > SKR_DOCUMENT_BYTES_MAX) {
        return skr_fail (SAKER_ENOTFOUND, "no such part of a collection can be read here");
    }
    if (role_of (request, &collection->id) < SKR_ROLE_READ) {
        return refuse_to_read ();
    }
    SKR_TRY (check_ration (request));
    skr_wire_begin (request->answer, request->number, SKR_WIRE_RANGE, 1);
    uint64_t looks = 0;
    saker_err_t error =
        skr_range_put (replica, collection, from, to, detail == 1, request->answer, &looks);
    take_ration (request, 1 + looks / SKR_RATION_RANGE_ENTRIES);
    return error;
}

static void put_pull_head (request_t *request, const skr_collection_t *collection,
                           skr_wire_more_t more, size_t count)
{
    skr_wire_begin (request->answer, request->number, SKR_WIRE_PULL, 3);
    skr_cbor_put_uint (request->answer, collection ? skr_clock_digest (&collection->clock) : 0);
    skr_cbor_put_uint (request->answer, (uint64_t) more);
    skr_cbor_put_array (request->answer, count);
}

static saker_err_t put_changes (request_t *request, const skr_collection_t *collection,
                                const skr_clock_t *have, size_t credit)
{
    skr_buf_t changes = {0};
    size_t count = 0;
    bool more = false;
    SKR_TRY (check_ration (request));
    saker_err_t error = skr_replica_pull (request->self->replica, &collection->id, have, credit,
                                          &changes, &count, &more);
    take_ration (request, 1 + collection->clock.count / WRITERS_A_LOOK + count
                              + changes.size / SKR_RATION_PULL_BYTES);
    if (error == SAKER_EGAP) {
        put_pull_head (request, collection, SKR_WIRE_TAKE_SNAPSHOT, 0);
        error = SAKER_OK;
    } else if (error == SAKER_OK) {
        put_pull_head (request, collection, more ? SKR_WIRE_MORE : SKR_WIRE_NO_MORE, count);
        skr_buf_append_span (request->answer, skr_span_of (&changes));
    }
    skr_buf_free (&changes);
    return error;
}

static saker_err_t answer_pull (request_t *request)
{
    skr_clock_t have = {0};
    SKR_TRY (want_arguments (request, 3));
    const skr_collection_t *collection = collection_of (request);
    saker_err_t error = skr_clock_read (&request->cbor, &have, SKR_CLOCK_WRITERS_MAX);
    uint64_t credit = skr_cbor_get_uint (&request->cbor);
    error = error == SAKER_OK ? skr_cbor_close (&request->cbor) : error;
    credit = credit > SKR_WIRE_CREDIT_MAX ? SKR_WIRE_CREDIT_MAX : credit;
    if (error == SAKER_OK && !collection) {
        put_pull_head (request, NULL, SKR_WIRE_NO_MORE, 0);
    } else if (error == SAKER_OK && !have.count && collection->changes > SKR_ANSWER_SNAPSHOT_CHANGES
               && !skr_id_is_zero (&collection->id)
               && !skr_partial_of (request->self->replica, &collection->id)->carried.partial
               && skr_replica_role (request->self->replica, &collection->id) >= SKR_ROLE_WRITE) {
        put_pull_head (request, collection, SKR_WIRE_TAKE_SNAPSHOT, 0);
    } else if (error == SAKER_OK) {
        error = put_changes (request, collection, &have, (size_t) credit);
    }
    skr_clock_free (&have);
    return error;
}

/* Of which part, and reaching how far at least. */
static saker_err_t get_wanted (request_t *request, skr_part_t *part, skr_clock_t *least)
{
    if (request->count > 1) {
        skr_part_get (&request->cbor, part);
        SKR_TRY (skr_clock_read (&request->cbor, least, SKR_CLOCK_WRITERS_MAX));
    }
    return skr_cbor_close (&request->cbor);
}

/* One of a part, or that reaches at least to a clock, may be for this asker alone: it is made
   within its ration. */
static saker_err_t make_asked (request_t *request, const skr_collection_t *collection,
                               const skr_extract_t *extract, offer_t **offer)
{
    skr_ration_t *ration = &request->self->ration;
    const skr_asker_t *asker = request->asker;
    size_t place = place_of (request);
    if (request->count == 1) {
        return make_offer (request->self, collection, extract, 0, offer);
    }
    if (!skr_ration_may (ration, place, asker->now_ms)) {
        return skr_fail (SAKER_EBUSY, "many snapshots of parts were made for this member lately: "
                                      "ask again in some seconds");
    }
    SKR_TRY (make_offer (request->self, collection, extract, place + 1, offer));
    skr_ration_take (ration, place, LOOKS_A_SNAPSHOT + (*offer)->size / LOOK_BYTES, asker->now_ms);
    return SAKER_OK;
}

static saker_err_t offer_snapshot (request_t *request, const skr_collection_t *collection,
                                   const skr_extract_t *extract, const skr_clock_t *least)
{
    skr_answerer_t *self = request->self;
    if (!collection || !skr_clock_covers (&collection->clock, least)) {
        return skr_fail (SAKER_ENOTFOUND, "nothing of this collection is here, or not enough");
    }
    offer_t *offer = kept_offer (self, collection, extract, least);
    if (!offer) {
        SKR_TRY (make_asked (request, collection, extract, &offer));
    }
    offer->used = ++self->uses;
    skr_wire_begin (request->answer, request->number, SKR_WIRE_SNAPSHOT, 3);
    skr_cbor_put_bytes (request->answer, offer->hash, 16);
    skr_cbor_put_uint (request->answer, offer->size);
    skr_cbor_put_bytes (request->answer, offer->hash, sizeof offer->hash);
    return SAKER_OK;
}

static saker_err_t answer_snapshot (request_t *request)
{
    skr_extract_t extract = {.sealed = false};
    skr_clock_t least = {0};
    SKR_TRY (request->count == 3 ? SAKER_OK : want_arguments (request, 1));
    const skr_collection_t *collection = collection_of (request);
    saker_err_t error = get_wanted (request, &extract.part, &least);
    skr_role_t role = collection ? role_of (request, &collection->id) : SKR_ROLE_RELAY;
    if (error == SAKER_OK && (!collection || !collection->clock.count)) {
        error = skr_fail (SAKER_ENOTFOUND, "nothing of this collection is here");
    }
    if (error == SAKER_OK && role == SKR_ROLE_NONE) {
        error = refuse_to_read ();
    }
    if (role == SKR_ROLE_RELAY) {
        extract.sealed = true;
        skr_part_free (&extract.part);
    }
    if (error == SAKER_OK) {
        error = offer_snapshot (request, collection, &extract, &least);
    }
    skr_part_free (&extract.part);
    skr_clock_free (&least);
    return error;
}

/* Reads up to `size` bytes at an offset straight into the answer. */
static saker_err_t put_part (request_t *request, const offer_t *offer, uint64_t at, size_t size)
{
    char file[PATH_MAX];
    skr_buf_t part = {0};
    uint64_t left = at < offer->size ? offer->size - at : 0;
    size = left < size ? (size_t) left : size;
    offer_file (request->self, offer, file);
    int descriptor = open (file, O_RDONLY | O_CLOEXEC);
    uint8_t *room = skr_buf_reserve (&part, size + 1);
    ssize_t got = descriptor >= 0 && room ? pread (descriptor, room, size, (off_t) at) : -1;
    if (descriptor >= 0) {
        close (descriptor);
    }
    if (got >= 0) {
        skr_wire_begin (request->answer, request->number, SKR_WIRE_PART, 1);
        skr_cbor_put_bytes (request->answer, part.data, (size_t) got);
    }
    skr_buf_free (&part);
    return got >= 0 ? SAKER_OK : skr_fail (SAKER_EIO, "read snapshot: %s", strerror (errno));
}

static saker_err_t answer_part (request_t *request)
{
    skr_answerer_t *self = request->self;
    uint8_t id[16];
    SKR_TRY (want_arguments (request, 3));
    skr_cbor_get_fixed (&request->cbor, id, sizeof id);
    uint64_t at = skr_cbor_get_uint (&request->cbor);
    uint64_t credit = skr_cbor_get_uint (&request->cbor);
    SKR_TRY (skr_cbor_close (&request->cbor));
    credit = credit > SKR_WIRE_CREDIT_MAX ? SKR_WIRE_CREDIT_MAX : credit;
    offer_t *offer = find_offer (self, id);
    if (!offer) {
        skr_wire_begin (request->answer, request->number, SKR_WIRE_PART, 1);
        skr_cbor_put_bytes (request->answer, NULL, 0);
        return SAKER_OK;
    }
    skr_role_t role = role_of (request, &offer->collection);
    if (role == SKR_ROLE_NONE || (role == SKR_ROLE_RELAY && !offer->extract.sealed)) {
        return refuse_to_read ();
    }
    offer->used = ++self->uses;
    return put_part (request, offer, at, (size_t) credit);
}

/* ---- joining */

static saker_err_t check_join (const skr_answerer_t *self, const uint8_t ticket[32],
                               const skr_member_t *candidate, const uint8_t signature[64])
{
    static const char context[] = "saker join 1";
    uint8_t text[sizeof context + 16 + 32 + 32];
    uint8_t *at = text;
    memcpy (at, context, sizeof context);
    memcpy (at += sizeof context, skr_roster_mesh (skr_replica_roster (self->replica))->bytes, 16);
    memcpy (at += 16, ticket, 32);
    memcpy (at + 32, candidate->transport, 32);
    if (crypto_sign_verify_detached (signature, text, sizeof text, candidate->device) != 0) {
        return skr_fail (SAKER_EFORGED, "join: the signature does not hold");
    }
    return SAKER_OK;
}

/* What follows who it is: does it choose, and what of the roster does it have? */
static saker_err_t get_more (skr_cbor_t *cbor, size_t count, bool *chooses, skr_clock_t *have)
{
    *chooses = count > 4 && skr_cbor_get_bool (cbor);
    return count > 5 ? skr_clock_read (cbor, have, SKR_CLOCK_WRITERS_MAX) : SAKER_OK;
}

static saker_err_t get_candidate (skr_cbor_t *cbor, size_t count, skr_member_t *candidate,
                                  uint8_t signature[64], bool *chooses)
{
    skr_clock_t have = {0};
    memset (candidate, 0, sizeof *candidate);
    skr_cbor_get_fixed (cbor, candidate->device, sizeof candidate->device);
    skr_cbor_get_fixed (cbor, candidate->transport, sizeof candidate->transport);
    skr_span_t name = skr_cbor_get_text (cbor);
    skr_cbor_get_fixed (cbor, signature, 64);
    saker_err_t error = get_more (cbor, count, chooses, &have);
    skr_clock_free (&have);
    SKR_TRY (error);
    SKR_TRY (skr_wrap (skr_cbor_close (cbor), "join"));
    if (name.size < 1 || name.size > SKR_NAME_BYTES_MAX || memchr (name.data, 0, name.size)) {
        return skr_fail (SAKER_EINPUT, "join: a name has 1 to %d bytes", SKR_NAME_BYTES_MAX);
    }
    memcpy (candidate->name, name.data, name.size);
    return SAKER_OK;
}

/* Before it is admitted: the ticket stays good. What else is wrong with it, admitting tells. */
static saker_err_t check_choice (const skr_answerer_t *self, const uint8_t ticket[32])
{
    skr_invitation_t invitation;
    saker_err_t error =
        skr_invitation_get (skr_replica_store (self->replica), SKR_COMMITTED, ticket, &invitation);
    if (error != SAKER_OK || invitation.used) {
        return error == SAKER_ENOTFOUND ? SAKER_OK : error;
    }
    if (invitation.role == SKR_ROLE_READ || invitation.role == SKR_ROLE_WRITE) {
        return SAKER_OK;
    }
    return skr_fail (SAKER_ERIGHT,
                     "this ticket makes %s, which carries every collection: join without choosing "
                     "some, or ask for a ticket with the role read or write; this one is still "
                     "good",
                     invitation.role == SKR_ROLE_ADMIN ? "an admin" : "a relay");
}

static saker_err_t answer_join (request_t *request)
{
    skr_answerer_t *self = request->self;
    skr_member_t candidate;
    uint8_t signature[64];
    bool chooses = false;
    bool longer = request->count == 5 || request->count == 6;
    SKR_TRY (longer ? SAKER_OK : want_arguments (request, 4));
    SKR_TRY (get_candidate (&request->cbor, request->count, &candidate, signature, &chooses));
    SKR_TRY (check_join (self, request->asker->ticket, &candidate, signature));
    SKR_TRY (chooses ? check_choice (self, request->asker->ticket) : SAKER_OK);
    SKR_TRY (skr_replica_begin (self->replica));
    SKR_TRY (skr_replica_admit (self->replica, request->asker->ticket, &candidate));
    request->held = true;
    return SAKER_OK;
}

static saker_err_t put_joined (skr_answerer_t *self, uint64_t number, const skr_clock_t *have,
                               skr_buf_t *answer)
{
    static const skr_id_t roster;
    skr_buf_t changes = {0};
    size_t count = 0;
    bool more = false;
    saker_err_t error =
        skr_replica_pull (self->replica, &roster, have, ROSTER_BYTES_MAX, &changes, &count, &more);
    if (error == SAKER_OK) {
        const skr_id_t *mesh = skr_roster_mesh (skr_replica_roster (self->replica));
        skr_wire_begin (answer, number, SKR_WIRE_JOIN, more ? 4 : 3);
        skr_cbor_put_bytes (answer, mesh->bytes, sizeof mesh->bytes);
        skr_cbor_put_array (answer, count);
        skr_buf_append_span (answer, skr_span_of (&changes));
        skr_buf_append_span (answer, skr_span_of (&self->book));
        if (more) {
            skr_cbor_put_bool (answer, true);
        }
    }
    skr_buf_free (&changes);
    return error;
}

/* It was read before. */
static saker_err_t get_joined (skr_span_t request, uint64_t *number, skr_clock_t *have)
{
    skr_cbor_t cbor;
    skr_wire_kind_t kind = SKR_WIRE_ERROR;
    size_t count = 0;
    bool chooses;
    SKR_TRY (skr_wire_open (&cbor, request, number, &kind, &count));
    for (int i = 0; i < 4; i++) {
        (void) skr_cbor_get_raw (&cbor);
    }
    return get_more (&cbor, count, &chooses, have);
}

void skr_answer_joined (skr_answerer_t *self, skr_span_t request, skr_buf_t *answer)
{
    uint64_t number = 0;
    skr_clock_t have = {0};
    saker_err_t error = get_joined (request, &number, &have);
    error = error == SAKER_OK ? put_joined (self, number, &have, answer) : error;
    skr_clock_free (&have);
    if (error != SAKER_OK) {
        skr_wire_error (answer, number, error, skr_error ());
    }
}

/* ---- the whole */

static answer_fn *const answers[] = {
    [SKR_WIRE_HELLO] = answer_hello,       [SKR_WIRE_STATE] = answer_state,
    [SKR_WIRE_CLOCK] = answer_clock,       [SKR_WIRE_PULL] = answer_pull,
    [SKR_WIRE_SNAPSHOT] = answer_snapshot, [SKR_WIRE_PART] = answer_part,
    [SKR_WIRE_JOIN] = answer_join,         [SKR_WIRE_RANGE] = answer_range,
};

/* Who came with a ticket may join and nothing else; who reads nothing is given nothing to read. */
static saker_err_t check_right (const request_t *request)
{
    const skr_member_t *member = request->asker->member;
    if (!request->answer || request->kind == SKR_WIRE_ERROR) {
        return skr_fail (SAKER_EINPUT, "not a request");
    }
    if ((request->kind == SKR_WIRE_JOIN) != (request->asker->ticket != NULL)) {
        return skr_fail (SAKER_ERIGHT, "a ticket is for joining, and only a ticket is");
    }
    bool reads = request->kind == SKR_WIRE_SNAPSHOT || request->kind == SKR_WIRE_PART
                 || request->kind == SKR_WIRE_RANGE;
    return reads && !member ? refuse_to_read () : SAKER_OK;
}

void skr_answer (skr_answerer_t *self, const skr_asker_t *asker, skr_span_t request,
                 skr_buf_t *answer, bool *held, skr_said_t *said)
{
    request_t state = {.self = self, .asker = asker, .answer = answer};
    size_t start = answer->size;
    saker_err_t error =
        skr_wire_open (&state.cbor, request, &state.number, &state.kind, &state.count);
    if (error == SAKER_EINPUT) {
        self->bad_requests++; /* not even a request: there is no number to answer to */
        return;
    }
    error = error == SAKER_OK ? check_right (&state) : error;
    error = error == SAKER_OK ? answers[state.kind](&state) : error;
    if (error != SAKER_OK) {
        self->bad_requests += error == SAKER_EINPUT || error == SAKER_ERIGHT
                              || error == SAKER_EFORGED || error == SAKER_EVERSION;
        answer->size = start;
        skr_wire_error (answer, state.number, error, skr_error ());
    }
    *held = state.held;
    *said = state.said;
}

saker_err_t skr_answerer_set (skr_answerer_t *self, uint16_t pub_port,
                              const uint8_t instance[SKR_WIRE_INSTANCE_BYTES], skr_span_t book)
{
    self->pub_port = pub_port;
    memcpy (self->instance, instance, sizeof self->instance);
    skr_buf_clear (&self->book);
    skr_buf_append_span (&self->book, book);
    return self->book.failed ? skr_fail (SAKER_ENOMEM, "out of memory") : SAKER_OK;
}

saker_err_t skr_answerer_new (skr_answerer_t **self_p, skr_replica_t *replica)
{
    const char *store = skr_store_folder (skr_replica_store (replica));
    skr_answerer_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->replica = replica;
    skr_ration_init (&self->ration);
    skr_cbor_put_array (&self->book, 0);
    int length = snprintf (self->folder, sizeof self->folder, "%s/outgoing", store);
    if (length < 0 || (size_t) length >= sizeof self->folder
        || (mkdir (self->folder, 0700) != 0 && errno != EEXIST)) {
        skr_answerer_destroy (&self);
        return skr_fail (SAKER_EIO, "make %s/outgoing: %s", store, strerror (errno));
    }
    empty_folder (self->folder);
    *self_p = self;
    return SAKER_OK;
}

void skr_answerer_destroy (skr_answerer_t **self_p)
{
    skr_answerer_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < SKR_ANSWER_SNAPSHOTS_MAX; i++) {
            drop_offer (self, &self->offers[i]);
        }
        skr_ration_free (&self->ration);
        skr_buf_free (&self->book);
        free (self);
        *self_p = NULL;
    }
}

uint64_t skr_answerer_bad_requests (const skr_answerer_t *self)
{
    return self->bad_requests;
}
