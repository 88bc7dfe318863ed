/* Oracle: what must hold. Some of it is told at once, after each round of a peer; the rest by
   reading a peer's whole history naively, in its own order, but for what it has cut off: an
   operation ends each earlier entry in its scope that its writer had seen, where what a writer had
   seen is the sum of the deps of its changes. `pred` is not looked at, nor is any code of
   crdt/apply.c or crdt/view.c. */

#include "tests/sim/sim.h"

#include "peer/carrying.h"
#include "peer/conflicts.h"
#include "peer/cut.h"
#include "peer/fetching.h"
#include "peer/fork.h"
#include "peer/partial.h"
#include "peer/past.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACKED_MAX 4096
#define KNOWN_SIZE 16384 /* a power of two */
#define COLLECTIONS_MAX SIM_COLLECTIONS_MAX
#define NOT_SHOWN_MAX 64

/* ---- what clients were told */

typedef struct acked_t {
    int peer;
    char collection[8];
    uint8_t id[16];
    skr_id_t writer;
    uint64_t seq;
    bool gone; /* it may be: an older copy was put in the place of the store */
} acked_t;

static acked_t acked[ACKED_MAX];
static size_t acked_count;
static size_t acked_at_copy;
static const sim_peer_t *put_back; /* its store was; NULL: none */

void sim_oracle_copied (const sim_peer_t *peer)
{
    (void) peer;
    acked_at_copy = acked_count;
}

/* ---- equal clocks, equal data: whichever peer, whenever */

typedef struct known_t {
    skr_id_t collection;
    uint64_t clock; /* digest; 0: free */
    skr_fingerprint_t fingerprint;
    int peer;
} known_t;

static known_t known[KNOWN_SIZE];

/* What a peer had when it was looked at last: it has that on its disk, also while it is down. */
typedef struct seen_t {
    skr_id_t collection;
    bool used;
    uint64_t changes;
    skr_clock_t clock;
    uint64_t cut; /* changes below it */
    skr_clock_t cut_clock;
    skr_clock_t cut_had; /* what it had when it was cut so */
    skr_clock_t before;  /* of a peer that came late: what the founder had when it came */
    skr_clock_t most;    /* all that it ever had: see check_cut */
    bool relayed;        /* it was sealed once: who may read again gets it all anew */
    bool left;           /* it was, once or more often */
    skr_clock_t left_first, left_last; /* what it had then, the first time and the last */
    skr_part_t part;                   /* that it carried */
    bool removing;
} seen_t;

static seen_t seen[SIM_PEERS_MAX + 1][COLLECTIONS_MAX];

static skr_replica_t *replica_of (const sim_peer_t *peer)
{
    return peer->node ? peer->node->replica : NULL;
}

/* Some of what was written may be void. */
static bool voids (void)
{
    return sim.rights || sim.forks;
}

/* What of a writer stands, as far as a peer knows. */
static uint64_t limit_at (const skr_replica_t *replica, const skr_id_t *writer,
                          const skr_id_t *collection)
{
    const skr_roster_t *roster = skr_replica_roster (replica);
    return voids () && skr_roster_by_writer (roster, writer)
               ? skr_roster_limit (roster, writer, collection)
               : UINT64_MAX;
}

bool sim_oracle_is_void (const sim_peer_t *peer, const char *collection, const skr_id_t *writer,
                         uint64_t seq)
{
    skr_id_t id;
    const skr_replica_t *replica = replica_of (peer);
    if (!voids () || !replica) {
        return false;
    }
    skr_replica_collection_id (replica, collection, &id);
    return seq > limit_at (replica, writer, &id);
}

static const skr_partial_t *partial_of (const sim_peer_t *peer, const skr_collection_t *collection)
{
    return skr_partial_of (replica_of (peer), &collection->id);
}

static uint64_t part_digest (const skr_part_t *part)
{
    uint64_t digest = 14695981039346656037u;
    for (size_t i = 0; i < part->prefixes.size; i++) {
        digest = (digest ^ part->prefixes.data[i]) * 1099511628211u;
    }
    return part->partial ? digest : 0;
}

/* Under equal rosters: what is void hangs on them. Of the same documents. */
static uint64_t known_digest (const sim_peer_t *peer, const skr_collection_t *collection)
{
    uint64_t digest = skr_clock_digest (&collection->clock);
    const skr_collection_t *roster = skr_replica_collection_at (replica_of (peer), 0);
    digest = digest ? digest ^ part_digest (&partial_of (peer, collection)->carried) : 0;
    return voids () && digest ? digest ^ skr_clock_digest (&roster->clock) << 1 : digest;
}

static void check_known (const sim_peer_t *peer, const skr_collection_t *collection)
{
    bool compared = !collection->sealed && !partial_of (peer, collection)->removing;
    uint64_t digest = compared ? known_digest (peer, collection) : 0;
    size_t at = (size_t) (digest ^ skr_get_u64 (collection->id.bytes));
    for (size_t i = 0; digest && i < KNOWN_SIZE; i++) {
        known_t *entry = &known[(at + i) & (KNOWN_SIZE - 1)];
        if (!entry->clock) {
            *entry = (known_t){collection->id, digest, collection->fingerprint, peer->no};
            return;
        }
        if (entry->clock == digest && skr_id_equal (&entry->collection, &collection->id)) {
            if (!skr_fingerprint_equal (&entry->fingerprint, &collection->fingerprint)) {
                sim_fail ("peers %d and %d have equal clocks in %s, but their data differ",
                          peer->no, entry->peer, collection->name);
            }
            return;
        }
    }
}

/* ---- after each round */

/* What a member is remembered to have told: no more than it may, and counted right. */
/* Of the rosters that a report keeps, each once. */
static size_t roster_ticks (const skr_report_t *report, size_t at)
{
    const skr_report_roster_t *roster = report->entries[at].roster;
    bool counted = !roster || roster == report->roster;
    for (size_t i = 0; i < at && !counted; i++) {
        counted = report->entries[i].roster == roster;
    }
    return counted ? 0 : roster->clock.count;
}

static void check_report (const sim_peer_t *peer, const skr_report_t *report)
{
    size_t ticks = report->roster ? report->roster->clock.count : 0, bytes = 0;
    for (size_t i = 0; i < report->entries_count; i++) {
        ticks += report->entries[i].clock.count + roster_ticks (report, i);
        bytes += report->entries[i].part.prefixes.size;
    }
    if (bytes != report->part_bytes || bytes > SKR_REPORT_PART_BYTES_MAX) {
        sim_fail ("peer %d counts %zu bytes of parts in a report of %zu", peer->no,
                  report->part_bytes, bytes);
    }
    if (ticks != report->ticks) {
        sim_fail ("peer %d counts %zu ticks in a report of %zu", peer->no, report->ticks, ticks);
    }
    if (ticks > SKR_REPORT_TICKS_MAX || report->entries_count > SKR_COLLECTIONS_MAX
        || report->links_count > SKR_WIRE_BEAT_LINKS_MAX) {
        sim_fail ("peer %d keeps more of a report than it may", peer->no);
    }
}

/* One claim a collection, by a session that there is. */
static void check_claims (const sim_peer_t *peer)
{
    const skr_links_t *links = &peer->node->links;
    const skr_claims_t *claims = &links->claims;
    for (size_t i = 0; i < claims->count; i++) {
        const struct skr_claim_t *claim = &claims->claims[i];
        bool held = false;
        for (size_t k = 0; k < i; k++) {
            if (skr_id_equal (&claim->collection, &claims->claims[k].collection)) {
                sim_fail ("peer %d keeps two claims to one collection", peer->no);
            }
        }
        for (size_t k = 0; k < links->count; k++) {
            held |= links->links[k]->session == claim->holder;
        }
        if (!held) {
            sim_fail ("peer %d keeps the claim of a session that is gone", peer->no);
        }
    }
}

/* Each beat of another peer is passed on once. */
static void check_passed (const sim_peer_t *peer)
{
    uint64_t beats = sim.beats;
    for (int i = 0; i < sim.peers_count; i++) {
        const sim_peer_t *other = &sim.peers[i];
        beats += other != peer && other->node ? other->node->stats.beats_out : 0;
    }
    if (peer->node->stats.beats_passed > beats) {
        sim_fail ("peer %d has passed on %llu beats, more than there were: %llu", peer->no,
                  (unsigned long long) peer->node->stats.beats_passed, (unsigned long long) beats);
    }
}

static void check_limits (const sim_peer_t *peer)
{
    skr_replica_stats_t stats;
    const skr_node_t *node = peer->node;
    skr_replica_stats (replica_of (peer), &stats);
    if (stats.waiting > SKR_WAITING_CHANGES_MAX || stats.waiting_bytes > SKR_WAITING_BYTES_MAX) {
        sim_fail ("peer %d keeps %llu changes waiting, more than it may", peer->no,
                  (unsigned long long) stats.waiting);
    }
    if (skr_replica_in_group (replica_of (peer))) {
        sim_fail ("peer %d ends a round within a group", peer->no);
    }
    for (size_t i = 0; i < node->links.count; i++) {
        check_report (peer, &node->links.links[i]->report);
    }
    check_claims (peer);
    check_passed (peer);
    if (node->joins_count) {
        sim_fail ("peer %d ends a round with answers that it owes", peer->no);
    }
    uint64_t held = sim_memory_held (peer->no) - stats.waiting_bytes;
    sim.heap_most = held > sim.heap_most ? held : sim.heap_most;
    if (held > SIM_HEAP_BYTES_MAX) {
        sim_fail ("peer %d holds %llu bytes of memory", peer->no, (unsigned long long) held);
    }
}

static seen_t *seen_of (int peer, const skr_id_t *collection)
{
    int at = 0;
    while (at < COLLECTIONS_MAX - 1 && seen[peer][at].used
           && !skr_id_equal (&seen[peer][at].collection, collection)) {
        at++;
    }
    seen[peer][at].used = true;
    seen[peer][at].collection = *collection;
    return &seen[peer][at];
}

static bool has_stored (const seen_t *self, const skr_clock_t *cut)
{
    for (size_t i = 0; i < cut->count; i++) {
        const skr_tick_t *tick = &cut->ticks[i];
        if (tick->seq > skr_clock_get (&self->clock, &tick->writer)
            && tick->seq > skr_clock_get (&self->most, &tick->writer)
            && tick->seq > skr_clock_get (&self->before, &tick->writer)) {
            return false;
        }
    }
    return true;
}

/* Whoever came late must have what the founder had, if only others do not know of it yet. */
void sim_oracle_joined (const sim_peer_t *peer)
{
    const skr_replica_t *founder = replica_of (&sim.peers[0]);
    for (size_t i = 1; i < skr_replica_collections (founder); i++) {
        const skr_collection_t *collection = skr_replica_collection_at (founder, i);
        seen_t *self = seen_of (peer->no, &collection->id);
        self->changes += !self->changes; /* the place is taken */
        if (skr_clock_copy (&self->before, &collection->clock) != SAKER_OK) {
            abort ();
        }
    }
}

/* Who came back may find that others cut while it was out; a cut that comes with a snapshot may be
   here before the news of it, and whoever knew may be down. */
static bool outs[SIM_PEERS_MAX + 1][COLLECTIONS_MAX];

static void note_outs (const skr_roster_t *roster)
{
    for (int i = 0; i < sim.peers_count; i++) {
        const uint8_t *device = sim.peers[i].device;
        const skr_member_t *member = skr_roster_by_device (roster, device);
        for (int k = 0; member && k < COLLECTIONS_MAX; k++) {
            const skr_id_t *collection = &seen[i][k].collection;
            outs[i][k] |= skr_roster_role (roster, device, collection) < SKR_ROLE_READ
                          || skr_roster_is_fenced (roster, device)
                          || !skr_roster_carries (roster, device, collection)
                          || skr_roster_has_returned (roster, device, collection);
        }
    }
}

bool sim_oracle_carries (const sim_peer_t *peer, const char *collection)
{
    skr_id_t id;
    const skr_replica_t *replica = replica_of (peer);
    if (!replica) {
        return false;
    }
    skr_replica_collection_id (replica, collection, &id);
    return skr_carrying (replica, &id);
}

bool sim_oracle_is_away (const sim_peer_t *peer, const char *collection, const skr_id_t *writer,
                         uint64_t seq)
{
    skr_id_t id;
    const skr_replica_t *replica = replica_of (peer);
    if (!sim.leaves || !replica) {
        return false;
    }
    skr_replica_collection_id (replica, collection, &id);
    const skr_collection_t *ours = skr_replica_collection (replica, &id);
    return seen_of (peer->no, &id)->left
           && (!skr_carrying (replica, &id) || !ours || skr_clock_get (&ours->clock, writer) < seq);
}

/* Does another peer hold it, all of it, as one who may give a snapshot, and is not about to drop
 * it?
 */
static bool is_elsewhere (const sim_peer_t *peer, const skr_id_t *collection,
                          const skr_tick_t *tick)
{
    const skr_roster_t *roster = skr_replica_roster (replica_of (peer));
    for (int i = 0; i < sim.peers_count; i++) {
        const seen_t *theirs = seen_of (i, collection);
        const uint8_t *device = sim.peers[i].device;
        if (i != peer->no && !theirs->part.partial && !sim.peers[i].damaged
            && skr_roster_role (roster, device, collection) >= SKR_ROLE_WRITE
            && skr_roster_carries (roster, device, collection)
            && skr_clock_get (&theirs->clock, &tick->writer) >= tick->seq) {
            return true;
        }
    }
    return false;
}

bool sim_oracle_holds_alone (const sim_peer_t *peer)
{
    const skr_replica_t *replica = replica_of (peer);
    for (size_t i = 1; replica && i < skr_replica_collections (replica); i++) {
        const skr_collection_t *ours = skr_replica_collection_at (replica, i);
        for (size_t k = 0; k < ours->clock.count && !ours->sealed; k++) {
            const skr_tick_t *tick = &ours->clock.ticks[k];
            if (!skr_replica_is_own (replica, &tick->writer)
                && !is_elsewhere (peer, &ours->id, tick)) {
                return true;
            }
        }
    }
    return !replica;
}

/* What its device says that it had there. */
static void note_left (const sim_peer_t *peer, seen_t *self)
{
    const skr_roster_t *roster = skr_replica_roster (replica_of (peer));
    const skr_named_t *named =
        skr_subscription_find (skr_roster_subscription (roster, peer->device), &self->collection);
    self->left = true;
    if (named
        && (skr_clock_copy (&self->left_first, &named->left) != SAKER_OK
            || skr_clock_copy (&self->left_last, &named->left) != SAKER_OK)) {
        abort ();
    }
}

void sim_oracle_left (const sim_peer_t *peer, const skr_id_t *collection)
{
    const skr_held_t *held = skr_holdings_find (replica_of (peer), collection);
    seen_t *self = seen_of (peer->no, collection);
    self->changes += !self->changes; /* the place is taken */
    if (held
        && ((!self->left && skr_clock_copy (&self->left_first, &held->live.clock) != SAKER_OK)
            || skr_clock_merge (&self->left_last, &held->live.clock) != SAKER_OK)) {
        abort ();
    }
    self->left = true;
}

static bool was_out (const sim_peer_t *peer, const skr_id_t *collection)
{
    return outs[peer->no][seen_of (peer->no, collection) - seen[peer->no]];
}

/* design 5: no cut is beyond what any member has stored. One may have taken back, for a while, what
   a statement made void of which the others know that it does not count. */
static void check_cut (const sim_peer_t *peer, const skr_collection_t *collection)
{
    const skr_clock_t *cut = skr_cut_clock (replica_of (peer), &collection->id);
    for (int i = 0; i < sim.peers_count; i++) {
        const seen_t *theirs = seen_of (i, &collection->id);
        skr_role_t role = skr_roster_role (skr_replica_roster (replica_of (peer)),
                                           sim.peers[i].device, &collection->id);
        bool excused = sim.peers[i].damaged || sim.twins || sim.copies || role < SKR_ROLE_READ;
        if (!excused && !has_stored (theirs, cut) && !was_out (&sim.peers[i], &collection->id)) {
            sim_fail ("peer %d has cut off changes of %s that peer %d has not stored", peer->no,
                      collection->name, i);
        }
    }
}

/* What is left is the end of the local order. */
static void check_prefix (const sim_peer_t *peer, const skr_collection_t *collection)
{
    skr_replica_t *replica = replica_of (peer);
    const skr_cut_terms_t terms = {.history_ms = 0};
    skr_cut_slice_t first;
    if (skr_cut_look (replica, &collection->id, &terms, &first) == SAKER_OK && first.position
        && first.position < skr_cut_position (replica, &collection->id)) {
        sim_fail ("peer %d has cut a change of %s and kept one that it applied before it", peer->no,
                  collection->name);
    }
    skr_store_forget (skr_replica_store (replica));
}

static void look_at_cut (const sim_peer_t *peer, const skr_collection_t *collection, seen_t *before)
{
    uint64_t cut = collection->changes - skr_cut_entries (replica_of (peer), &collection->id);
    if (cut == before->cut) {
        return;
    }
    sim_count (SIM_CUT, "peer %d, %s: %llu changes", peer->no, collection->name,
               (unsigned long long) cut);
    before->cut = cut;
    if (skr_clock_copy (&before->cut_had, &collection->clock) != SAKER_OK
        || skr_clock_copy (&before->cut_clock, skr_cut_clock (replica_of (peer), &collection->id))
               != SAKER_OK) {
        abort ();
    }
    check_cut (peer, collection);
    check_prefix (peer, collection);
}

/* What is carried changes; then it is compared with whoever carries the same. */
static void look_at_part (const sim_peer_t *peer, const skr_collection_t *collection,
                          seen_t *before)
{
    const skr_partial_t *partial = partial_of (peer, collection);
    bool same = skr_part_equal (&before->part, &partial->carried);
    if (same && before->removing == partial->removing) {
        return;
    }
    if (!same && collection->changes > 0) {
        sim_count (skr_part_covers (&before->part, &partial->carried) ? SIM_NARROWED : SIM_WIDENED,
                   "peer %d, %s", peer->no, collection->name);
    }
    before->removing = partial->removing;
    if (skr_part_copy (&before->part, &partial->carried) != SAKER_OK) {
        abort ();
    }
    if (!sim.forks) {
        check_known (peer, collection);
    }
}

static void check_not_shown (const sim_peer_t *peer);
static void check_refused (const sim_peer_t *peer);

/* What a writer had seen by one of its changes: the sum of its deps. */
typedef struct seeing_t {
    skr_id_t writer;
    uint64_t seq;
    skr_clock_t saw;
} seeing_t;

static void see_change (skr_span_t raw, void *argument)
{
    seeing_t *self = argument;
    skr_change_t change;
    skr_clock_t deps = {0};
    if (skr_change_parse (&change, raw) == SAKER_OK && change.seq <= self->seq
        && skr_id_equal (&change.writer, &self->writer)
        && (skr_change_deps (&change, &deps) != SAKER_OK
            || skr_clock_merge (&self->saw, &deps) != SAKER_OK)) {
        abort ();
    }
    skr_clock_free (&deps);
}

/* How far a writer had got when its device left for the first time; 0: it did not, or came late and
   may have written before it had anything. */
static uint64_t left_at (const skr_roster_t *roster, const skr_id_t *collection,
                         const skr_id_t *writer)
{
    const skr_member_t *member = skr_roster_by_writer (roster, writer);
    bool late = member && strcmp (member->name, SIM_LATE_NAME) == 0;
    for (int i = 0; member && !late && i < sim.peers_count; i++) {
        const seen_t *theirs = seen_of (i, collection);
        if (theirs->left
            && memcmp (sim.peers[i].device, member->device, sizeof member->device) == 0) {
            return skr_clock_get (&theirs->left_first, writer);
        }
    }
    return 0;
}

/* What a device wrote before it left comes before anything is cut that it had not seen. */
static void check_leavers (const sim_peer_t *peer, const skr_collection_t *collection,
                           const seen_t *before)
{
    const skr_roster_t *roster = skr_replica_roster (replica_of (peer));
    const skr_clock_t *cut = &before->cut_clock;
    if (!sim.leaves || !cut->count || before->left || peer->damaged || sim.copies || sim.twins
        || skr_roster_returned (roster, &collection->id)) {
        return;
    }
    for (size_t i = 0; i < collection->clock.count; i++) {
        const skr_tick_t *tick = &collection->clock.ticks[i];
        uint64_t had = skr_clock_get (&before->clock, &tick->writer);
        seeing_t seeing = {.writer = tick->writer, .seq = had + 1};
        if (tick->seq == had || left_at (roster, &collection->id, &tick->writer) <= had
            || !sim_made_each (&collection->id, &collection->clock, see_change, &seeing)) {
            continue;
        }
        for (size_t k = 0; k < cut->count; k++) {
            if (!skr_id_equal (&cut->ticks[k].writer, &tick->writer)
                && skr_clock_get (&seeing.saw, &cut->ticks[k].writer) < cut->ticks[k].seq) {
                sim_fail ("peer %d had cut off changes of %s before all was there of who left",
                          peer->no, collection->name);
            }
        }
        skr_clock_free (&seeing.saw);
    }
}

void sim_oracle_round (sim_peer_t *peer)
{
    const skr_replica_t *replica = replica_of (peer);
    size_t count = skr_replica_collections (replica);
    if (sim.rights || sim.copies || sim.twins || sim.leaves) {
        note_outs (skr_replica_roster (replica));
    }
    for (size_t i = 0; i < count; i++) {
        const skr_collection_t *collection = skr_replica_collection_at (replica, i);
        seen_t *before = seen_of (peer->no, &collection->id);
        before->relayed |= collection->sealed;
        if (sim.leaves && !before->left && !skr_carrying (replica, &collection->id)) {
            note_left (peer, before); /* as another process of the device said */
        }
        look_at_part (peer, collection, before);
        if (before->changes != collection->changes
            || !skr_clock_equal (&before->clock, &collection->clock)) {
            bool dropped = before->left && collection->changes < before->changes;
            if (dropped) {
                sim_count (SIM_DROP, "peer %d, %s", peer->no, collection->name);
            }
            if (collection->changes < before->changes && !sim.rights && !sim.forks && !dropped) {
                sim_fail ("peer %d has fewer changes in %s than before", peer->no,
                          collection->name);
            }
            if (i > 0 && !sim.forks) {
                sim_made_note (peer, collection);
                check_leavers (peer, collection, before);
            }
            before->changes = collection->changes;
            /* what is void may be issued again also where it was left */
            bool leaving = before->left && !skr_carrying (replica, &collection->id);
            if (skr_clock_copy (&before->clock, &collection->clock) != SAKER_OK
                || skr_clock_merge (&before->most, &collection->clock) != SAKER_OK
                || (leaving
                    && skr_clock_merge (&before->left_last, &collection->clock) != SAKER_OK)) {
                abort ();
            }
            if (!sim.forks) {
                check_known (peer, collection);
            }
            if (i > 0) {
                sim_made_note (peer, collection);
            }
        }
        if (i > 0 && !sim.forks) {
            look_at_cut (peer, collection, before);
        }
    }
    check_limits (peer);
    check_not_shown (peer);
    check_refused (peer);
}

/* ---- after a start: what was told is there */

static bool holds (const skr_replica_t *replica, const acked_t *one)
{
    const skr_collection_t *collection = NULL;
    return skr_replica_collection_named (replica, one->collection, &collection) == SAKER_OK
           && skr_clock_get (&collection->clock, &one->writer) >= one->seq;
}

static bool may_lack (const sim_peer_t *peer, const acked_t *one)
{
    skr_id_t id;
    skr_replica_collection_id (replica_of (peer), one->collection, &id);
    return seen_of (peer->no, &id)->relayed || seen_of (peer->no, &id)->left;
}

static void check_own (const sim_peer_t *peer)
{
    for (size_t i = 0; i < acked_count; i++) {
        if (acked[i].peer == peer->no && !acked[i].gone && !holds (replica_of (peer), &acked[i])
            && !may_lack (peer, &acked[i])
            && !sim_oracle_is_void (peer, acked[i].collection, &acked[i].writer, acked[i].seq)) {
            sim_fail ("peer %d acknowledged seq %llu of %s and has lost it", peer->no,
                      (unsigned long long) acked[i].seq, acked[i].collection);
            return;
        }
    }
}

/* What others have of a writer, it has itself: nothing was told before it was durable. */
static void check_told (const sim_peer_t *peer)
{
    const skr_replica_t *replica = replica_of (peer);
    const skr_id_t *writer = skr_replica_writer (replica);
    for (int i = 0; i < sim.peers_count; i++) {
        const skr_replica_t *other = replica_of (&sim.peers[i]);
        if (!other || other == replica) {
            continue;
        }
        for (size_t k = 0; k < skr_replica_collections (other); k++) {
            const skr_collection_t *theirs = skr_replica_collection_at (other, k);
            const skr_collection_t *ours = skr_replica_collection (replica, &theirs->id);
            uint64_t there = skr_clock_get (&theirs->clock, writer);
            uint64_t here = ours ? skr_clock_get (&ours->clock, writer) : 0;
            uint64_t limit = limit_at (replica, writer, &theirs->id);
            uint64_t left = skr_clock_get (&seen_of (peer->no, &theirs->id)->left_last, writer);
            here = here < left ? left : here;
            if (there > here && here < limit) {
                sim_fail ("peer %d has seq %llu of peer %d in %s, which itself has only %llu", i,
                          (unsigned long long) there, peer->no, theirs->name,
                          (unsigned long long) here);
                return;
            }
        }
    }
}

/* Is all that is left of it on the disk of this peer, since who wrote it has left the collection?
 */
static bool hangs_on (const sim_peer_t *peer, const acked_t *one)
{
    skr_id_t id;
    bool left = false;
    for (int i = 0; i < sim.peers_count; i++) {
        const skr_replica_t *replica = replica_of (&sim.peers[i]);
        if (replica && &sim.peers[i] != peer) {
            skr_replica_collection_id (replica, one->collection, &id);
            left = !holds (replica, one) && seen_of (one->peer, &id)->left;
            if (!left) {
                return false;
            }
        }
    }
    return left;
}

void sim_oracle_put_back (const sim_peer_t *peer)
{
    sim.copies = true;
    put_back = peer;
    for (int i = 0; i < COLLECTIONS_MAX; i++) {
        seen[peer->no][i].changes = 0;
    }
    for (size_t i = 0; i < acked_count; i++) {
        acked[i].gone |= (i >= acked_at_copy && acked[i].peer == peer->no)
                         || (acked[i].peer != peer->no && hangs_on (peer, &acked[i]));
    }
}

void sim_oracle_started (sim_peer_t *peer)
{
    for (int i = 0; i < COLLECTIONS_MAX && (peer->forked || peer->damaged); i++) {
        seen[peer->no][i].changes = 0; /* what it lost is lost */
    }
    if (!peer->forked && !peer->damaged) {
        check_own (peer);
        check_told (peer);
    }
    sim_oracle_round (peer);
}

void sim_oracle_acked (int peer, const char *collection, const uint8_t operation_id[16],
                       const skr_id_t *writer, uint64_t seq, bool repeated)
{
    if (acked_count == ACKED_MAX) {
        return;
    }
    acked_t *one = &acked[acked_count++];
    one->peer = peer;
    snprintf (one->collection, sizeof one->collection, "%s", collection);
    memcpy (one->id, operation_id, sizeof one->id);
    one->writer = *writer;
    one->seq = seq;
    one->gone = false;
    (void) repeated;
    if (!sim.peers[peer].forked && !holds (replica_of (&sim.peers[peer]), one)
        && !sim_oracle_is_void (&sim.peers[peer], collection, writer, seq)) {
        sim_fail ("peer %d acknowledges seq %llu of %s before it has it", peer,
                  (unsigned long long) seq, collection);
    }
}

/* ---- the naive reading of a history */

typedef struct entry_t {
    skr_dot_t dot;
    uint64_t hlc;
    skr_kind_t kind;
    char document[16];
    skr_buf_t path, value;
    bool live;
} entry_t;

typedef struct author_t { /* of one collection */
    skr_id_t id;
    skr_clock_t saw;
    uint64_t seq;
    uint64_t hlc;
    uint8_t hash[SKR_HASH_BYTES];
} author_t;

typedef struct history_t {
    const sim_peer_t *peer;
    const skr_collection_t *collection;
    entry_t *entries;
    size_t entries_count, entries_capacity;
    author_t authors[SIM_PEERS_MAX * 2];
    size_t authors_count;
    uint8_t (*ids)[16]; /* operation ids, with the writer and seq of each */
    skr_dot_t *ids_dots;
    size_t ids_count, ids_capacity;
    skr_clock_t clock;
    bool below;  /* the cut is replayed */
    bool unread; /* not all of it can be */
    bool
        saw_void; /* somebody wrote upon what is void: what it had seen is not to be had any more */
} history_t;

static author_t *author_of (history_t *self, const skr_id_t *id)
{
    for (size_t i = 0; i < self->authors_count; i++) {
        if (skr_id_equal (&self->authors[i].id, id)) {
            return &self->authors[i];
        }
    }
    author_t *author = &self->authors[self->authors_count++];
    memset (author, 0, sizeof *author);
    author->id = *id;
    return author;
}

static bool scope_has (const skr_op_t *op, const entry_t *entry)
{
    if (!skr_span_equal (op->document, skr_span_text (entry->document))) {
        return false;
    }
    bool at = skr_span_equal (op->path, skr_span_of (&entry->path));
    switch (op->kind) {
    case SKR_OP_SET:
    case SKR_OP_SET_LWW:
    case SKR_OP_DELETE:
        return skr_span_starts (skr_span_of (&entry->path), op->path);
    case SKR_OP_SET_MAP:
        return at;
    case SKR_OP_ADD: /* a member added again stays one entry */
    case SKR_OP_REMOVE:
        return at && entry->kind == SKR_MEMBER
               && skr_span_equal (op->argument, skr_span_of (&entry->value));
    default:
        return false;
    }
}

static void add_entry (history_t *self, const skr_op_t *op, const skr_change_t *change,
                       uint32_t index)
{
    if (self->entries_count == self->entries_capacity) {
        self->entries_capacity = self->entries_capacity ? 2 * self->entries_capacity : 64;
        self->entries = realloc (self->entries, self->entries_capacity * sizeof (entry_t));
    }
    entry_t *entry = &self->entries[self->entries_count++];
    memset (entry, 0, sizeof *entry);
    entry->dot = (skr_dot_t){change->writer, change->seq, index};
    entry->hlc = change->hlc;
    entry->kind = skr_op_cell (op->kind);
    snprintf (entry->document, sizeof entry->document, "%.*s", (int) op->document.size,
              (const char *) op->document.data);
    skr_buf_append_span (&entry->path, op->path);
    skr_buf_append_span (&entry->value, op->argument);
    entry->live = true;
}

/* A device that was fenced issues again what it wrote before it had all that it has now: what it
   saw then, only the change itself tells. */
static bool is_reissuing (const history_t *self, const skr_id_t *writer)
{
    skr_id_t writers[SIM_PEERS_MAX];
    const skr_roster_t *roster = skr_replica_roster (replica_of (self->peer));
    const skr_member_t *member = skr_roster_by_writer (roster, writer);
    size_t count = member && (sim.fences || sim.forks)
                       ? skr_roster_writers (roster, member->device, writers, SIM_PEERS_MAX)
                       : 0;
    return count > 1 && !skr_id_equal (&writers[count - 1], writer);
}

/* Who knows that a change is void has taken it back, and does not see it when it writes; another
   one may not know yet. */
static bool is_void_somewhere (const history_t *self, const skr_dot_t *dot)
{
    for (int i = 0; i < sim.peers_count && (sim.rights || sim.fences || sim.forks); i++) {
        const skr_replica_t *replica = replica_of (&sim.peers[i]);
        if (replica && dot->seq > limit_at (replica, &dot->writer, &self->collection->id)) {
            return true;
        }
    }
    return false;
}

static bool names (const skr_content_t *content, const skr_op_t *op, const skr_dot_t *dot)
{
    skr_pred_t *pred = NULL;
    size_t count = 0;
    bool found = false;
    if (skr_op_pred (op, &pred, &count) != SAKER_OK) {
        abort ();
    }
    for (size_t i = 0; i < count; i++) {
        const skr_dot_t last = {content->writers[pred[i].writer], pred[i].seq, pred[i].index};
        found |= skr_id_equal (&last.writer, &dot->writer) && skr_dot_compare (dot, &last) <= 0;
    }
    free (pred);
    return found;
}

static void replay_op (history_t *self, const skr_content_t *content, const skr_change_t *change,
                       const author_t *author, uint32_t index)
{
    const skr_op_t *op = &content->ops[index];
    bool again = is_reissuing (self, &change->writer);
    for (size_t i = 0; i < self->entries_count; i++) {
        entry_t *entry = &self->entries[i];
        bool own = skr_id_equal (&entry->dot.writer, &change->writer);
        bool saw = own || skr_clock_get (&author->saw, &entry->dot.writer) >= entry->dot.seq;
        saw = again || (saw && is_void_somewhere (self, &entry->dot))
                  ? names (content, op, &entry->dot)
                  : saw;
        if (entry->live && saw && scope_has (op, entry)) {
            entry->live = false;
        }
    }
    if (op->kind != SKR_OP_DELETE && op->kind != SKR_OP_REMOVE) {
        add_entry (self, op, change, index);
    }
}

static void note_id (history_t *self, const skr_content_t *content, const skr_change_t *change)
{
    if (content->operation_id.size != 16) {
        return;
    }
    for (size_t i = 0; i < self->ids_count; i++) {
        /* an older store does not know what it was asked later; and two stores that do not know of
           each other both issue again what a fence made void of their past */
        if (memcmp (self->ids[i], content->operation_id.data, 16) == 0 && !sim.counts[SIM_OLD_COPY]
            && !(sim.forks && sim.fences)) {
            sim_fail ("peer %d has one operation of %s twice", self->peer->no,
                      self->collection->name);
        }
    }
    if (self->ids_count == self->ids_capacity) {
        self->ids_capacity = self->ids_capacity ? 2 * self->ids_capacity : 64;
        self->ids = realloc (self->ids, self->ids_capacity * 16);
        self->ids_dots = realloc (self->ids_dots, self->ids_capacity * sizeof (skr_dot_t));
    }
    memcpy (self->ids[self->ids_count], content->operation_id.data, 16);
    self->ids_dots[self->ids_count++] = (skr_dot_t){change->writer, change->seq, 0};
}

/* With sound clocks, what depends on another change is later than it. */
static void check_time (const history_t *self, const skr_change_t *change, const skr_clock_t *deps)
{
    if (sim.counts[SIM_CLOCK_JUMP] || sim.counts[SIM_CLOCK_BACK] || sim.counts[SIM_CLOCK_STOP]
        || sim.counts[SIM_CLOCK_DRIFT] || sim.fences || sim.forks) {
        return;
    }
    for (size_t i = 0; i < self->authors_count; i++) {
        const author_t *author = &self->authors[i];
        if (author->seq && skr_clock_get (deps, &author->id) == author->seq
            && author->hlc >= change->hlc) {
            sim_fail ("peer %d has a change of %s that is earlier than one that it depends on",
                      self->peer->no, self->collection->name);
        }
    }
}

/* A dependency on what is void counts as met. A cut that came with a snapshot may be here before
   the news of what is. */
static bool covers (history_t *self, const skr_clock_t *deps)
{
    const skr_clock_t *cut = skr_cut_clock (replica_of (self->peer), &self->collection->id);
    for (size_t i = 0; i < deps->count; i++) {
        const skr_tick_t *tick = &deps->ticks[i];
        if (self->below && sim.rights && tick->seq > skr_clock_get (cut, &tick->writer)) {
            self->saw_void = true;
            continue;
        }
        uint64_t have = skr_clock_get (&self->clock, &tick->writer);
        uint64_t limit = limit_at (replica_of (self->peer), &tick->writer, &self->collection->id);
        self->saw_void |= tick->seq > limit;
        if (have < tick->seq && have < limit) {
            return false;
        }
    }
    return true;
}

/* Each change of a writer follows its last one, and comes after all that it names. */
static void check_order (history_t *self, author_t *author, const skr_change_t *change)
{
    skr_clock_t deps = {0};
    if (change->seq != author->seq + 1
        || memcmp (change->prev, author->hash, sizeof author->hash) != 0) {
        sim_fail ("peer %d applied seq %llu of a writer in %s after seq %llu", self->peer->no,
                  (unsigned long long) change->seq, self->collection->name,
                  (unsigned long long) author->seq);
    }
    if (skr_change_deps (change, &deps) != SAKER_OK || !covers (self, &deps)) {
        sim_fail ("peer %d applied a change of %s before what it depends on", self->peer->no,
                  self->collection->name);
    }
    if (change->hlc <= author->hlc) {
        sim_fail ("peer %d has a change of %s that is earlier than the one before it",
                  self->peer->no, self->collection->name);
    }
    author->hlc = change->hlc;
    check_time (self, change, &deps);
    if (skr_clock_merge (&author->saw, &deps) != SAKER_OK
        || skr_clock_set (&self->clock, &change->writer, change->seq) != SAKER_OK) {
        abort ();
    }
    author->seq = change->seq;
    skr_change_hash (change, author->hash);
    skr_clock_free (&deps);
}

/* Of a device that left, and came back: what it wrote since, or others upon what it had not. */
static bool made_after_leaving (const skr_member_t *member, const skr_change_t *change)
{
    for (int i = 0; member && sim.leaves && i < sim.peers_count; i++) {
        const seen_t *theirs = seen_of (i, &change->collection);
        if (memcmp (sim.peers[i].device, member->device, sizeof member->device) == 0 && theirs->left
            && change->seq > skr_clock_get (&theirs->left_first, &change->writer)) {
            return true;
        }
    }
    return false;
}

/* Was its device fenced, or worse, at any time? A cut without it may come before the news of that,
   with a snapshot. */
static bool author_was_out (const skr_member_t *member, const skr_id_t *collection)
{
    for (int i = 0; member && i < sim.peers_count; i++) {
        if (memcmp (sim.peers[i].device, member->device, sizeof member->device) == 0) {
            return was_out (&sim.peers[i], collection);
        }
    }
    return false;
}

/* design 5: no change arrives that is concurrent with one that was cut. Who came late, or came
   back, is excepted: it may write before it has anything. */
static void check_seen (history_t *self, const author_t *author, const skr_change_t *change)
{
    const seen_t *seen_here = seen_of (self->peer->no, &self->collection->id);
    const skr_clock_t *cut = &seen_here->cut_clock;
    const skr_roster_t *roster = skr_replica_roster (replica_of (self->peer));
    const skr_member_t *member = skr_roster_by_writer (roster, &change->writer);
    bool back = member && skr_roster_has_returned (roster, member->device, &self->collection->id);
    bool had = change->seq <= skr_clock_get (&seen_here->cut_had, &change->writer);
    back |= made_after_leaving (member, change) || author_was_out (member, &change->collection);
    if (had || self->peer->damaged || back || (member && strcmp (member->name, SIM_LATE_NAME) == 0)
        || sim.copies || sim.twins || skr_roster_returned (roster, &self->collection->id)) {
        return;
    }
    for (size_t i = 0; i < cut->count; i++) {
        const skr_id_t *writer = &cut->ticks[i].writer;
        if (!skr_id_equal (writer, &change->writer)
            && skr_clock_get (&author->saw, writer) < cut->ticks[i].seq) {
            sim_fail ("peer %d applied a change of %s that is concurrent with what it had cut",
                      self->peer->no, self->collection->name);
        }
    }
}

static void check_signature (const history_t *self, const skr_change_t *change)
{
    const skr_roster_t *roster = skr_replica_roster (replica_of (self->peer));
    const skr_member_t *member = skr_roster_by_writer (roster, &change->writer);
    if (!member
        || skr_change_verify (change, skr_roster_mesh (roster), member->device) != SAKER_OK) {
        sim_fail ("peer %d applied a change of %s that its writer did not sign", self->peer->no,
                  self->collection->name);
    }
}

/* Of what a peer has cut off it needs no key; whoever has one tells. */
static saker_err_t read_content (const history_t *self, const skr_change_t *change,
                                 skr_buf_t *clear, skr_content_t *content)
{
    saker_err_t error = skr_replica_content (replica_of (self->peer), change, clear, content);
    for (int i = 0; i < sim.peers_count && self->below && error == SAKER_ENOTFOUND; i++) {
        if (replica_of (&sim.peers[i])) {
            error = skr_replica_content (replica_of (&sim.peers[i]), change, clear, content);
        }
    }
    return error;
}

static void replay (history_t *self, skr_span_t raw)
{
    skr_change_t change;
    skr_content_t content = {0};
    skr_buf_t clear = {0};
    saker_err_t error = skr_change_parse (&change, raw);
    error = error == SAKER_OK ? read_content (self, &change, &clear, &content) : error;
    if (error == SAKER_ENOTFOUND && self->below) {
        self->unread = true; /* who has the key is down */
    } else if (error != SAKER_OK) {
        sim_fail ("peer %d hands out a change that cannot be read: %s", self->peer->no,
                  skr_error ());
    }
    if (error != SAKER_OK) {
        skr_buf_free (&clear);
        return;
    }
    check_signature (self, &change);
    author_t *author = author_of (self, &change.writer);
    check_order (self, author, &change);
    check_seen (self, author, &change);
    for (size_t i = 0; i < content.ops_count; i++) {
        replay_op (self, &content, &change, author, (uint32_t) i);
    }
    note_id (self, &content, &change);
    skr_content_free (&content);
    skr_buf_free (&clear);
}

/* A damaged store may refuse to tell; what it tells is right. */
static bool is_excused (const sim_peer_t *peer, saker_err_t error)
{
    return peer->damaged && error == SAKER_EDAMAGED;
}

static void replay_made (skr_span_t change, void *argument)
{
    history_t *self = argument;
    if (!self->unread) {
        replay (self, change);
    }
}

/* Of stores that were copied nothing is kept to replay what was cut from. */
static bool is_lost (const sim_peer_t *peer, const skr_collection_t *collection)
{
    return sim.forks && skr_cut_clock (replica_of (peer), &collection->id)->count > 0;
}

/* While a fork is not settled, the same dot is one thing here and another there: what a change saw
   of that writer does not tell what it ended. */
static bool is_torn (void)
{
    for (int i = 0; i < sim.peers_count && sim.forks; i++) {
        skr_replica_t *replica = replica_of (&sim.peers[i]);
        uint64_t forks = 0, others = 0;
        if (replica && skr_fork_count (replica, &forks, &others) != SAKER_OK) {
            abort ();
        }
        if (forks) {
            return true;
        }
    }
    return false;
}

/* What is below the cut is replayed from what was made; the cut must be a causal beginning. */
static bool read_cut (history_t *self)
{
    const skr_clock_t *cut = skr_cut_clock (replica_of (self->peer), &self->collection->id);
    if (is_lost (self->peer, self->collection)) {
        return false;
    }
    self->below = true;
    bool found = sim_made_each (&self->collection->id, cut, replay_made, self);
    self->below = false;
    if (self->unread) {
        return false;
    }
    if (!sim.failed && cut->count && !(found && skr_clock_equal (&self->clock, cut))) {
        sim_fail ("peer %d has cut off what nobody ever had of %s", self->peer->no,
                  self->collection->name);
    }
    return !sim.failed;
}

static bool read_history (history_t *self)
{
    bool more = read_cut (self);
    if (!more) {
        return false;
    }
    while (more && !sim.failed) {
        skr_buf_t changes = {0};
        skr_cbor_t cbor;
        size_t count = 0;
        saker_err_t error = skr_replica_pull (replica_of (self->peer), &self->collection->id,
                                              &self->clock, 1 << 20, &changes, &count, &more);
        if (is_excused (self->peer, error)) {
            skr_buf_free (&changes);
            return false;
        }
        if (error != SAKER_OK) {
            sim_fail ("peer %d cannot read its log of %s: %s", self->peer->no,
                      self->collection->name, skr_error ());
            skr_buf_free (&changes);
            return false;
        }
        skr_cbor_open (&cbor, skr_span_of (&changes));
        for (size_t i = 0; i < count && !sim.failed; i++) {
            replay (self, skr_cbor_get_bytes (&cbor));
        }
        skr_buf_free (&changes);
    }
    return !sim.failed;
}

static void free_history (history_t *self)
{
    for (size_t i = 0; i < self->entries_count; i++) {
        skr_buf_free (&self->entries[i].path);
        skr_buf_free (&self->entries[i].value);
    }
    for (size_t i = 0; i < self->authors_count; i++) {
        skr_clock_free (&self->authors[i].saw);
    }
    free (self->entries);
    free (self->ids);
    free (self->ids_dots);
    skr_clock_free (&self->clock);
}

/* ---- what was acknowledged and is not shown: it was replaced */

static sim_wanted_t not_shown[NOT_SHOWN_MAX];
static size_t not_shown_count;

void sim_oracle_not_shown (const sim_wanted_t *wanted)
{
    if (not_shown_count < NOT_SHOWN_MAX) {
        not_shown[not_shown_count++] = *wanted;
    }
}

static bool is_wanted (const sim_wanted_t *wanted, const entry_t *entry)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span_of (&entry->value));
    return entry->dot.seq == wanted->seq && skr_id_equal (&entry->dot.writer, &wanted->writer)
           && entry->kind == wanted->kind && strcmp (entry->document, wanted->document) == 0
           && skr_span_equal (skr_span_of (&entry->path),
                              skr_span (wanted->path, wanted->path_size))
           && (entry->kind != SKR_MEMBER || skr_cbor_get_int (&cbor) == wanted->value);
}

static void check_replaced (const sim_peer_t *peer, const sim_wanted_t *wanted)
{
    history_t history = {.peer = peer};
    bool found = false, live = false;
    if (skr_replica_collection_named (replica_of (peer), wanted->collection, &history.collection)
        != SAKER_OK) {
        return; /* sim_oracle_acked tells */
    }
    if (read_history (&history)) {
        for (size_t i = 0; i < history.entries_count; i++) {
            bool it = is_wanted (wanted, &history.entries[i]);
            found |= it;
            live |= it && history.entries[i].live;
        }
        bool excused =
            history.saw_void
            || sim_oracle_is_void (peer, wanted->collection, &wanted->writer, wanted->seq);
        if ((!found || live) && !excused) {
            sim_fail ("peer %d acknowledged seq %llu of %s, and does not show what it wrote in %s",
                      peer->no, (unsigned long long) wanted->seq, wanted->collection,
                      wanted->document);
        }
    }
    free_history (&history);
}

static void check_not_shown (const sim_peer_t *peer)
{
    size_t kept = 0;
    bool readable = skr_store_settled (skr_replica_store (replica_of (peer)));
    for (size_t i = 0; i < not_shown_count; i++) {
        if (not_shown[i].peer != peer->no) {
            not_shown[kept++] = not_shown[i];
        } else if (readable && !peer->forked && !peer->damaged) {
            check_replaced (peer, &not_shown[i]);
        }
    }
    if (kept != not_shown_count) {
        skr_store_forget (skr_replica_store (replica_of (peer)));
    }
    not_shown_count = kept;
}

/* ---- what a client was told that it is not there: so it is not

   The peer may be in the midst of a group, whose earlier changes may have deleted it: what is there
   before and after the group was there all the time, for nothing that was deleted comes back. */

typedef struct refused_t {
    sim_wanted_t at; /* with the dot of what is there, committed */
    uint64_t failed_groups;
    int starts;
} refused_t;

static refused_t refused[NOT_SHOWN_MAX];
static size_t refused_count;

typedef struct finding_t {
    const skr_id_t *writer; /* NULL: any leaf */
    uint64_t seq;
    skr_dot_t found;
    bool is_found;
} finding_t;

static saker_err_t find_leaf (const skr_leaf_t *leaf, void *argument)
{
    finding_t *finding = argument;
    bool fits =
        !finding->writer
        || (leaf->dot.seq == finding->seq && skr_id_equal (&leaf->dot.writer, finding->writer));
    if (fits && !finding->is_found) {
        finding->found = leaf->dot;
        finding->is_found = true;
    }
    return SAKER_OK;
}

static void find_at (const sim_peer_t *peer, const sim_wanted_t *at, finding_t *finding)
{
    skr_replica_t *replica = replica_of (peer);
    const skr_collection_t *collection = NULL;
    if (skr_store_settled (skr_replica_store (replica))
        && skr_replica_collection_named (replica, at->collection, &collection) == SAKER_OK
        && skr_replica_read (replica, collection, skr_span_text (at->document),
                             skr_span (at->path, at->path_size), find_leaf, finding)
               != SAKER_OK) {
        finding->is_found = false;
    }
}

void sim_oracle_refused (const sim_wanted_t *at)
{
    const sim_peer_t *peer = &sim.peers[at->peer];
    finding_t finding = {NULL};
    if (refused_count == NOT_SHOWN_MAX || peer->forked || peer->damaged) {
        return;
    }
    find_at (peer, at, &finding);
    if (finding.is_found) {
        refused_t *one = &refused[refused_count++];
        one->at = *at;
        one->at.writer = finding.found.writer;
        one->at.seq = finding.found.seq;
        one->failed_groups = peer->node->stats.failed_groups;
        one->starts = peer->starts;
    }
}

static void check_refused (const sim_peer_t *peer)
{
    size_t kept = 0;
    for (size_t i = 0; i < refused_count; i++) {
        const refused_t one = refused[i];
        finding_t finding = {.writer = &one.at.writer, .seq = one.at.seq};
        if (one.at.peer != peer->no) {
            refused[kept++] = one;
        } else if (one.starts == peer->starts
                   && one.failed_groups == peer->node->stats.failed_groups) {
            find_at (peer, &one.at, &finding);
            skr_store_forget (skr_replica_store (replica_of (peer)));
        }
        if (finding.is_found && !sim.rights) {
            sim_fail ("peer %d finds nothing to delete in %s of %s, where there is something",
                      peer->no, one.at.document, one.at.collection);
        }
    }
    refused_count = kept;
}

/* ---- what is shown, as lines of text: by the history, and by the peer */

typedef struct lines_t {
    char **list;
    size_t count, capacity;
    char document[16];
} lines_t;

static void add_line (lines_t *self, const char *line)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 64;
        self->list = realloc (self->list, self->capacity * sizeof *self->list);
    }
    self->list[self->count++] = strdup (line);
}

static void free_lines (lines_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->list[i]);
    }
    free (self->list);
}

static int compare_lines (const void *one, const void *other)
{
    return strcmp (*(char *const *) one, *(char *const *) other);
}

static void sort_lines (lines_t *self)
{
    if (self->count) {
        qsort (self->list, self->count, sizeof *self->list, compare_lines);
    }
    size_t kept = 0; /* a member that was added twice is one */
    for (size_t i = 0; i < self->count; i++) {
        if (kept && strcmp (self->list[kept - 1], self->list[i]) == 0) {
            free (self->list[i]);
        } else {
            self->list[kept++] = self->list[i];
        }
    }
    self->count = kept;
}

static void hex (char text[128], const skr_buf_t *bytes)
{
    size_t size = bytes->size < 60 ? bytes->size : 60;
    skr_hex (text, bytes->data, size);
    text[2 * size] = 0;
}

static bool later (const entry_t *one, const entry_t *other)
{
    return one->hlc != other->hlc ? one->hlc > other->hlc
                                  : skr_dot_compare (&one->dot, &other->dot) > 0;
}

/* What wins at the place of an entry: the latest at it, or below it (then a map with keys). */
static const entry_t *winner_at (const history_t *self, const entry_t *place)
{
    const entry_t *winner = place;
    for (size_t i = 0; i < self->entries_count; i++) {
        const entry_t *entry = &self->entries[i];
        if (entry->live && strcmp (entry->document, place->document) == 0
            && skr_span_starts (skr_span_of (&entry->path), skr_span_of (&place->path))
            && later (entry, winner)) {
            winner = entry;
        }
    }
    return winner;
}

static bool is_register (skr_kind_t kind)
{
    return kind == SKR_REGISTER || kind == SKR_LWW;
}

static bool wins (const history_t *self, const entry_t *entry)
{
    const entry_t *winner = winner_at (self, entry);
    bool here = skr_span_equal (skr_span_of (&winner->path), skr_span_of (&entry->path));
    if (is_register (entry->kind)) {
        return winner == entry;
    }
    return here && winner->kind == entry->kind;
}

static int64_t number_of (const skr_buf_t *value)
{
    skr_cbor_t cbor;
    skr_cbor_open (&cbor, skr_span_of (value));
    return skr_cbor_get_int (&cbor);
}

static void expect_entry (const history_t *self, size_t at, lines_t *lines)
{
    const entry_t *entry = &self->entries[at];
    char path[128], line[256];
    hex (path, &entry->path);
    const char *rank = wins (self, entry) ? "wins" : "rival";
    if (is_register (entry->kind)) {
        snprintf (line, sizeof line, "%s %s %d %lld %llu.%u %s", entry->document, path, entry->kind,
                  (long long) number_of (&entry->value), (unsigned long long) entry->dot.seq,
                  entry->dot.index, rank);
    } else if (entry->kind == SKR_MEMBER) {
        snprintf (line, sizeof line, "%s %s %d %lld %s", entry->document, path, entry->kind,
                  (long long) number_of (&entry->value), rank);
    } else if (entry->kind == SKR_COUNTER) {
        uint64_t sum = 0;
        for (size_t i = 0; i < self->entries_count; i++) {
            const entry_t *other = &self->entries[i];
            bool same = other->live && other->kind == SKR_COUNTER
                        && strcmp (other->document, entry->document) == 0
                        && skr_span_equal (skr_span_of (&other->path), skr_span_of (&entry->path));
            if (same && i < at) {
                return; /* told already */
            }
            sum += same ? (uint64_t) number_of (&other->value) : 0;
        }
        snprintf (line, sizeof line, "%s %s %d %lld %s", entry->document, path, entry->kind,
                  (long long) sum, rank);
    } else {
        return;
    }
    add_line (lines, line);
}

static saker_err_t show_leaf (const skr_leaf_t *leaf, void *argument)
{
    lines_t *lines = argument;
    char path[128], line[256];
    skr_buf_t copy = {0};
    skr_buf_append_span (&copy, leaf->path);
    hex (path, &copy);
    skr_buf_free (&copy);
    long long value = leaf->value.type == SAKER_INT ? (long long) leaf->value.as.integer : 0;
    const char *rank = leaf->rival ? "rival" : "wins";
    if (is_register (leaf->kind)) {
        snprintf (line, sizeof line, "%s %s %d %lld %llu.%u %s", lines->document, path, leaf->kind,
                  value, (unsigned long long) leaf->dot.seq, leaf->dot.index, rank);
        add_line (lines, line);
    } else if (leaf->kind != SKR_MAP) {
        snprintf (line, sizeof line, "%s %s %d %lld %s", lines->document, path, leaf->kind, value,
                  rank);
        add_line (lines, line);
    }
    return SAKER_OK;
}

typedef struct showing_t {
    const sim_peer_t *peer;
    const skr_collection_t *collection;
    lines_t *lines;
} showing_t;

static saker_err_t show_document (skr_span_t document, void *argument)
{
    showing_t *showing = argument;
    char name[16];
    snprintf (name, sizeof name, "%.*s", (int) document.size, (const char *) document.data);
    add_line (showing->lines, name);
    return SAKER_OK;
}

/* Lists the documents first: what a scan hands out is borrowed. */
static bool show (const sim_peer_t *peer, const skr_collection_t *collection, lines_t *lines)
{
    lines_t documents = {0};
    showing_t showing = {peer, collection, &documents};
    skr_replica_t *replica = replica_of (peer);
    saker_err_t error =
        skr_replica_documents (replica, collection, skr_span (NULL, 0), show_document, &showing);
    for (size_t i = 0; i < documents.count && error == SAKER_OK; i++) {
        snprintf (lines->document, sizeof lines->document, "%s", documents.list[i]);
        error = skr_replica_read (replica, collection, skr_span_text (documents.list[i]),
                                  skr_span (NULL, 0), show_leaf, lines);
    }
    free_lines (&documents);
    if (error != SAKER_OK && !is_excused (peer, error)) {
        sim_fail ("peer %d cannot read %s: %s", peer->no, collection->name, skr_error ());
    }
    skr_store_forget (skr_replica_store (replica));
    return error == SAKER_OK;
}

static void compare (const sim_peer_t *peer, const skr_collection_t *collection,
                     const lines_t *expected, const lines_t *shown)
{
    size_t count = expected->count > shown->count ? expected->count : shown->count;
    for (size_t i = 0; i < count; i++) {
        const char *one = i < expected->count ? expected->list[i] : "nothing";
        const char *other = i < shown->count ? shown->list[i] : "nothing";
        if (strcmp (one, other) != 0) {
            sim_fail ("peer %d shows in %s \"%s\" where its history says \"%s\"", peer->no,
                      collection->name, other, one);
            return;
        }
    }
}

static bool carries (const history_t *self, const entry_t *entry)
{
    return skr_part_holds (&partial_of (self->peer, self->collection)->carried,
                           skr_span_text (entry->document));
}

typedef struct storing_t {
    const skr_collection_t *collection;
    skr_fingerprint_t sum;
    skr_buf_t document;
    uint64_t documents;
} storing_t;

static saker_err_t add_stored (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    storing_t *storing = argument;
    if (!skr_span_equal (skr_span_of (&storing->document), document)) {
        skr_buf_clear (&storing->document);
        skr_buf_append_span (&storing->document, document);
        storing->documents++;
    }
    skr_fingerprint_add (&storing->sum, &storing->collection->id, document, entry);
    return SAKER_OK;
}

/* While documents are being removed, the sums are those of what is left. */
static void check_stored (const history_t *self)
{
    storing_t storing = {.collection = self->collection};
    skr_replica_t *replica = replica_of (self->peer);
    saker_err_t error = replica ? skr_cells_store_all (replica->cells, SKR_COMMITTED,
                                                       self->collection->no, add_stored, &storing)
                                : SAKER_ENOTFOUND;
    if (error == SAKER_OK
        && (!skr_fingerprint_equal (&storing.sum, &self->collection->fingerprint)
            || storing.documents != self->collection->documents)) {
        sim_fail ("peer %d, which removes documents of %s, has other sums than what is left",
                  self->peer->no, self->collection->name);
    }
    skr_buf_free (&storing.document);
}

/* The fingerprint and the number of documents, added up from the entries that should be there. */
static void check_sums (const history_t *self)
{
    skr_fingerprint_t fingerprint = {0};
    lines_t documents = {0};
    if (partial_of (self->peer, self->collection)->removing) {
        check_stored (self);
        return;
    }
    for (size_t i = 0; i < self->entries_count; i++) {
        const entry_t *entry = &self->entries[i];
        if (!entry->live || !carries (self, entry)) {
            continue;
        }
        skr_buf_t address = {0};
        bool member = entry->kind == SKR_MEMBER;
        skr_address_put (&address, skr_span_of (&entry->path), entry->kind,
                         member ? skr_span_of (&entry->value) : skr_span (NULL, 0));
        skr_entry_t whole = {.dot = entry->dot,
                             .hlc = entry->hlc,
                             .address = skr_span_of (&address),
                             .value = member || entry->kind == SKR_MAP
                                          ? skr_span ("\xf6", 1)
                                          : skr_span_of (&entry->value)};
        skr_fingerprint_add (&fingerprint, &self->collection->id, skr_span_text (entry->document),
                             &whole);
        skr_buf_free (&address);
        add_line (&documents, entry->document);
    }
    sort_lines (&documents);
    if (!skr_fingerprint_equal (&fingerprint, &self->collection->fingerprint)) {
        sim_fail ("peer %d has another fingerprint of %s than its data", self->peer->no,
                  self->collection->name);
    }
    if (documents.count != self->collection->documents) {
        sim_fail ("peer %d counts %llu documents in %s, but has %zu", self->peer->no,
                  (unsigned long long) self->collection->documents, self->collection->name,
                  documents.count);
    }
    free_lines (&documents);
}

/* ---- conflicts: the index against the entries that should be there */

static void add_conflict (lines_t *lines, const char *document, const skr_buf_t *path)
{
    char text[128], line[160];
    hex (text, path);
    snprintf (line, sizeof line, "%s %s", document, text);
    add_line (lines, line);
}

/* Two registers at one place, or cells of two kinds, where what is below makes a map. */
static void expect_conflicts (const history_t *self, lines_t *lines)
{
    for (size_t i = 0; i < self->entries_count; i++) {
        const entry_t *one = &self->entries[i];
        bool found = false;
        for (size_t k = 0; one->live && k < self->entries_count && !found; k++) {
            const entry_t *other = &self->entries[k];
            if (k == i || !other->live || strcmp (one->document, other->document) != 0
                || !skr_span_starts (skr_span_of (&other->path), skr_span_of (&one->path))) {
                continue;
            }
            found = other->path.size > one->path.size
                        ? one->kind != SKR_MAP
                        : one->kind != other->kind || one->kind == SKR_REGISTER;
        }
        if (found && carries (self, one)) {
            add_conflict (lines, one->document, &one->path);
        }
    }
}

static saker_err_t take_conflict (skr_span_t key, skr_span_t document, skr_span_t path,
                                  void *argument)
{
    char name[16];
    skr_buf_t copy = {0};
    (void) key;
    snprintf (name, sizeof name, "%.*s", (int) document.size, (const char *) document.data);
    skr_buf_append_span (&copy, path);
    add_conflict (argument, name, &copy);
    skr_buf_free (&copy);
    return SAKER_OK;
}

static void check_conflicts (const history_t *self)
{
    lines_t expected = {0}, found = {0};
    skr_span_t none = skr_span (NULL, 0);
    uint64_t count = 0;
    uint32_t no = self->collection->no;
    skr_store_t *store = skr_replica_store (replica_of (self->peer));
    saker_err_t error = skr_conflicts_count (store, SKR_COMMITTED, no, &count);
    if (error == SAKER_OK) {
        error = skr_conflicts_scan (store, SKR_COMMITTED, no, none, none, take_conflict, &found);
    }
    expect_conflicts (self, &expected);
    sort_lines (&expected);
    sort_lines (&found);
    if (error != SAKER_OK && !is_excused (self->peer, error)) {
        sim_fail ("peer %d cannot list the conflicts of %s: %s", self->peer->no,
                  self->collection->name, skr_error ());
    } else if (error == SAKER_OK && !self->peer->damaged
               && !partial_of (self->peer, self->collection)->removing) {
        for (size_t i = 0; i < expected.count || i < found.count; i++) {
            if (i >= expected.count || i >= found.count
                || strcmp (expected.list[i], found.list[i]) != 0) {
                sim_fail ("peer %d lists %zu conflicts of %s where there are %zu, or other ones",
                          self->peer->no, found.count, self->collection->name, expected.count);
                break;
            }
        }
        if (count != found.count) {
            sim_fail ("peer %d counts %llu conflicts of %s and lists %zu", self->peer->no,
                      (unsigned long long) count, self->collection->name, found.count);
        }
    }
    free_lines (&expected);
    free_lines (&found);
}

static bool shows (const sim_peer_t *peer, const skr_collection_t *collection, const char *document)
{
    return skr_partial_shows (partial_of (peer, collection), skr_span_text (document));
}

static void check_collection (const sim_peer_t *peer, const skr_collection_t *collection,
                              history_t *history)
{
    lines_t expected = {0}, shown = {0};
    *history = (history_t){.peer = peer, .collection = collection};
    if (read_history (history) && show (peer, collection, &shown)) {
        if (!skr_clock_equal (&history->clock, &collection->clock)) {
            sim_fail ("peer %d hands out another history of %s than its clock tells", peer->no,
                      collection->name);
        }
        if (history->saw_void || is_torn ()) {
            free_lines (&shown);
            return; /* compared with the other peers alone */
        }
        check_sums (history);
        check_conflicts (history);
        for (size_t i = 0; i < history->entries_count; i++) {
            if (history->entries[i].live
                && shows (peer, collection, history->entries[i].document)) {
                expect_entry (history, i, &expected);
            }
        }
        sort_lines (&expected);
        sort_lines (&shown);
        compare (peer, collection, &expected, &shown);
    }
    free_lines (&expected);
    free_lines (&shown);
}

void sim_oracle_check (sim_peer_t *peer)
{
    skr_replica_t *replica = replica_of (peer);
    if (!replica || !skr_store_settled (skr_replica_store (replica))) {
        return; /* its disk fails: nothing can be read until it works again */
    }
    for (size_t i = 1; replica && i < skr_replica_collections (replica); i++) {
        history_t history;
        const skr_collection_t *collection = skr_replica_collection_at (replica, i);
        if (collection->name[0] && !collection->sealed) {
            check_collection (peer, collection, &history);
            free_history (&history);
        }
    }
    if (replica) {
        skr_store_forget (skr_replica_store (replica));
    }
}

/* ---- after healing */

/* Nobody speaks with it any more. The founder knows; or it was put back to a state in which it had
   not admitted it yet. */
bool sim_oracle_is_outside (const sim_peer_t *peer)
{
    const skr_replica_t *founder = replica_of (&sim.peers[0]);
    if (!founder || (!sim.rights && !sim.copies)) {
        return false;
    }
    const skr_member_t *member = skr_roster_by_device (skr_replica_roster (founder), peer->device);
    return member ? member->role == SKR_ROLE_NONE : sim.copies && peer->joined;
}

static const sim_peer_t *sound (int from)
{
    for (int i = from; i < sim.peers_count; i++) {
        if (!sim.peers[i].damaged && !sim_oracle_is_outside (&sim.peers[i])) {
            return &sim.peers[i];
        }
    }
    return NULL;
}

/* Who only relays has the log alone; who carries other documents has other data. */
static bool same_data (const skr_replica_t *first, const skr_collection_t *one,
                       const skr_replica_t *second, const skr_collection_t *other)
{
    const skr_part_t *left = &skr_partial_of (first, &one->id)->carried;
    const skr_part_t *right = &skr_partial_of (second, &other->id)->carried;
    return one->sealed || other->sealed || !skr_part_equal (left, right)
           || skr_fingerprint_equal (&one->fingerprint, &other->fingerprint);
}

/* Of each writer the same last change: where a fork's branches were both overwritten, data and
   clocks are equal although it is not settled. */
static bool same_hashes (const skr_replica_t *one, const skr_collection_t *theirs,
                         const skr_replica_t *other, const skr_collection_t *ours)
{
    uint64_t *first = NULL, *second = NULL;
    if (skr_replica_hashes (one, theirs, &first) != SAKER_OK
        || skr_replica_hashes (other, ours, &second) != SAKER_OK) {
        abort ();
    }
    bool same = memcmp (first, second, theirs->clock.count * sizeof *first) == 0;
    free (first);
    free (second);
    return same;
}

/* Does one hold nothing that the other has not heard of, nor what it does not carry? One of which
   all was taken back, or that was dropped, stays, empty. */
static bool is_within (const skr_replica_t *one, const skr_replica_t *other)
{
    for (size_t i = 0; i < skr_replica_collections (one); i++) {
        const skr_collection_t *theirs = skr_replica_collection_at (one, i);
        const skr_collection_t *ours = skr_replica_collection (other, &theirs->id);
        /* whoever runs twice counts as no holder: what was left may have to stay */
        bool carried = skr_carrying (one, &theirs->id) || sim.twins;
        if (theirs->clock.count
            && (!carried || (skr_carrying (other, &theirs->id) && !(ours && ours->clock.count)))) {
            return false;
        }
    }
    return true;
}

static bool same_collections (const skr_replica_t *one, const skr_replica_t *other)
{
    if (!is_within (one, other) || !is_within (other, one)) {
        return false;
    }
    for (size_t i = 0; i < skr_replica_collections (one); i++) {
        const skr_collection_t *theirs = skr_replica_collection_at (one, i);
        const skr_collection_t *ours = skr_replica_collection (other, &theirs->id);
        if (!theirs->clock.count || !skr_carrying (other, &theirs->id)) {
            continue;
        }
        if (!ours || !skr_clock_equal (&ours->clock, &theirs->clock)
            || !same_data (other, ours, one, theirs) || !same_hashes (one, theirs, other, ours)) {
            return false;
        }
    }
    return true;
}

static saker_err_t is_of_roster (const skr_fork_t *fork, void *argument)
{
    *(bool *) argument |= skr_id_is_zero (&fork->collection);
    return SAKER_OK;
}

/* Can it hand over to who was put back all that the others have cut? */
static bool has_what_was_cut (int peer, const skr_id_t *collection)
{
    const skr_replica_t *replica = replica_of (&sim.peers[peer]);
    const skr_collection_t *theirs = replica ? skr_replica_collection (replica, collection) : NULL;
    bool whole = theirs && !skr_partial_of (replica, collection)->carried.partial;
    for (int i = 0; i < sim.peers_count && sim.parts && whole; i++) {
        const skr_replica_t *other = replica_of (&sim.peers[i]);
        const skr_clock_t *cut = other ? skr_cut_clock (other, collection) : NULL;
        whole = !cut || skr_clock_covers (&theirs->clock, cut);
    }
    return !sim.parts || whole;
}

/* A store was put back, and nobody else may read, or nobody who carries all has what was cut: what
   the relays have let go of, since this device had stored it, is lost with its disk. */
static bool is_lost_for_good (void)
{
    const skr_replica_t *replica = put_back ? replica_of (put_back) : NULL;
    for (size_t k = 1; replica && k < skr_replica_collections (replica); k++) {
        const skr_id_t *id = &skr_replica_collection_at (replica, k)->id;
        bool read = false;
        for (int i = 0; i < sim.peers_count; i++) {
            read |= &sim.peers[i] != put_back && has_what_was_cut (i, id)
                    && skr_roster_role (skr_replica_roster (replica), sim.peers[i].device, id)
                           >= SKR_ROLE_READ;
        }
        if (!read) {
            return true;
        }
    }
    return false;
}

/* What is not settled: an admin's device stated two things under one seq of the roster; or no beat
   comes, which tell what all have of the branches; or a store was put back below what others have
   cut, so that where it parts from them cannot be found. */
static bool is_unsettled (void)
{
    bool forked = (sim.forks && (sim.rights || sim_faults_no_pub ())) /* it may not be known yet */
                  || is_lost_for_good ();
    for (int i = 0; sim.forks && i < sim.peers_count; i++) {
        skr_replica_t *replica = replica_of (&sim.peers[i]);
        if (replica && skr_fork_each (replica, is_of_roster, &forked) != SAKER_OK) {
            forked = true; /* its disk fails: who knows */
        }
        for (size_t k = 1; replica && k < skr_replica_collections (replica); k++) {
            const skr_id_t *id = &skr_replica_collection_at (replica, k)->id;
            forked |= skr_cut_clock (replica, id)->count > 0;
        }
        if (replica) {
            skr_store_forget (skr_replica_store (replica));
        }
    }
    return forked;
}

/* Two processes with one key have found out, both of them: from others, if those speak with them.
 */
static bool twins_know (void)
{
    const sim_peer_t *one = &sim.peers[sim.cloned], *other = &sim.peers[sim.members];
    return !sim.twins || sim_oracle_is_outside (one) || one->damaged || other->damaged
           || (one->node && other->node && skr_twin_shows (one->node)
               && skr_twin_shows (other->node));
}

/* Who may read again fetches it anew: it does not have it yet. */
static bool is_fetching (void)
{
    for (int i = 0; i < sim.peers_count; i++) {
        const skr_replica_t *replica =
            sim_oracle_is_outside (&sim.peers[i]) ? NULL : replica_of (&sim.peers[i]);
        for (size_t k = 1; replica && k < skr_replica_collections (replica); k++) {
            const skr_collection_t *collection = skr_replica_collection_at (replica, k);
            if (collection->sealed && skr_carrying (replica, &collection->id)
                && skr_replica_role (replica, &collection->id) >= SKR_ROLE_READ) {
                return true;
            }
        }
    }
    return false;
}

/* What is wanted is carried, and nothing else. */
static bool carry_what_they_want (void)
{
    for (int i = 0; i < sim.peers_count && sim.parts; i++) {
        const sim_peer_t *peer = &sim.peers[i];
        const skr_replica_t *replica =
            peer->damaged || sim_oracle_is_outside (peer) ? NULL : replica_of (peer);
        for (size_t k = 1; replica && k < skr_replica_collections (replica); k++) {
            const skr_collection_t *collection = skr_replica_collection_at (replica, k);
            const skr_partial_t *partial = partial_of (peer, collection);
            bool done = !partial->removing && skr_part_equal (&partial->wanted, &partial->carried);
            if (!collection->sealed && !done) {
                return false;
            }
        }
    }
    return true;
}

/* Does anybody still tell that something may be on its way? What is in a damaged store alone is,
   for good. */
static bool is_awaiting (void)
{
    if (sim_peers_damaged ()) {
        return false;
    }
    for (const sim_peer_t *peer = sound (0); peer; peer = sound (peer->no + 1)) {
        const skr_replica_t *replica = replica_of (peer);
        for (size_t i = 0; replica && i < replica->fetches_count; i++) {
            if (skr_fetching (replica, &replica->fetches[i].collection)) {
                return true;
            }
        }
    }
    return false;
}

bool sim_oracle_converged (void)
{
    if (!twins_know () || is_fetching ()) {
        return false;
    }
    if (is_unsettled ()) {
        return true;
    }
    if (!carry_what_they_want ()) {
        return false;
    }
    const sim_peer_t *first = sound (0);
    if (!first || !first->node) {
        return first == NULL;
    }
    for (const sim_peer_t *peer = sound (first->no + 1); peer; peer = sound (peer->no + 1)) {
        if (!peer->node || !same_collections (replica_of (first), replica_of (peer))) {
            return false;
        }
    }
    return !is_awaiting ();
}

bool sim_oracle_logs_empty (void)
{
    if (sim_peers_damaged ()) {
        return true; /* it may never report again */
    }
    if (sim_faults_no_pub ()) {
        return true; /* what counts is told by beats */
    }
    if (is_lost_for_good ()) {
        return true; /* whom the others wait for can never tell that it has it */
    }
    for (int i = 0; i < sim.peers_count; i++) {
        const skr_replica_t *replica =
            sim_oracle_is_outside (&sim.peers[i]) ? NULL : replica_of (&sim.peers[i]);
        for (size_t k = 1; replica && k < skr_replica_collections (replica); k++) {
            const skr_collection_t *collection = skr_replica_collection_at (replica, k);
            uint64_t missing;
            if (skr_roster_undrained (skr_replica_roster (replica), NULL, &collection->id,
                                      &collection->clock, &missing)) {
                return true; /* all are equal: who has what is missing is out of the mesh */
            }
            if (skr_cut_entries (replica, &collection->id)) {
                return false;
            }
        }
    }
    return true;
}

bool sim_oracle_differs (const sim_peer_t *peer)
{
    const sim_peer_t *first = sound (0);
    return !first || !first->node || peer == first
           || !same_collections (replica_of (first), replica_of (peer));
}

/* What a fence alone made void, or was the branch of a fork that does not stand, its device has
   issued again by another writer. */
static bool is_again (const history_t *history, const acked_t *one)
{
    const skr_roster_t *roster = skr_replica_roster (replica_of (history->peer));
    uint64_t forked = skr_roster_forked_at (roster, &one->writer, &history->collection->id);
    bool fenced =
        sim.fences
        && skr_roster_fence_closes (roster, &one->writer, &history->collection->id, one->seq);
    bool copied = sim.copies || sim.twins || sim.forks;
    return fenced ? !copied : forked && forked <= one->seq;
}

/* The branch of a fork whose store had left the collection: it cannot issue it again. And what one
   of two processes wrote while the other, from whom the others take it, had left. */
static bool is_let_go (const history_t *history, const acked_t *one)
{
    const skr_roster_t *roster = skr_replica_roster (replica_of (history->peer));
    const skr_id_t *id = &history->collection->id;
    uint64_t forked = sim.forks ? skr_roster_forked_at (roster, &one->writer, id) : 0;
    bool left = seen_of (one->peer, id)->left;
    bool twice = sim.peers_count > sim.members;
    if (twice && (one->peer == sim.cloned || one->peer == sim.members)) {
        /* it waits in the store of the one until the other is stopped */
        return left || seen_of (sim.cloned, id)->left || seen_of (sim.members, id)->left;
    }
    return forked && forked <= one->seq && left;
}

/* What was acknowledged is in the history under the same name; what was refused, or written by who
   may not, is not. */
static void check_acked (const sim_peer_t *peer, const history_t *history)
{
    for (size_t i = 0; i < acked_count; i++) {
        const acked_t *one = &acked[i];
        bool again = is_again (history, one);
        bool let_go = is_let_go (history, one);
        bool found =
            one->gone || let_go || sim.peers[one->peer].damaged
            || sim_oracle_is_outside (&sim.peers[one->peer])
            || (!again && sim_oracle_is_void (peer, one->collection, &one->writer, one->seq))
            || strcmp (one->collection, history->collection->name) != 0;
        for (size_t k = 0; k < history->ids_count && !found; k++) {
            bool same = skr_id_equal (&history->ids_dots[k].writer, &one->writer)
                        && history->ids_dots[k].seq == one->seq;
            found = memcmp (history->ids[k], one->id, 16) == 0 && (same || again);
        }
        if (!found) {
            sim_fail ("peer %d lacks seq %llu of %s, which peer %d acknowledged", peer->no,
                      (unsigned long long) one->seq, one->collection, one->peer);
            return;
        }
    }
}

static void check_rights (const history_t *history, const skr_roster_t *roster)
{
    for (size_t i = 0; i < history->authors_count; i++) {
        const author_t *author = &history->authors[i];
        const skr_member_t *member = skr_roster_by_writer (roster, &author->id);
        uint64_t limit =
            limit_at (replica_of (history->peer), &author->id, &history->collection->id);
        if (author->seq > limit) {
            sim_fail ("peer %d has seq %llu of a writer in %s, which is void above %llu",
                      history->peer->no, (unsigned long long) author->seq,
                      history->collection->name, (unsigned long long) limit);
        }
        if (!member || (member->role < SKR_ROLE_WRITE && !sim.rights)) {
            sim_fail ("peer %d applied a change of a writer that may not write", history->peer->no);
        }
    }
}

static saker_err_t count_cell (skr_span_t document, const skr_entry_t *entry, void *argument)
{
    (void) document, (void) entry;
    ++*(uint64_t *) argument;
    return SAKER_OK;
}

static saker_err_t look_at_entry (const skr_log_entry_t *entry, void *argument)
{
    *(bool *) argument |= entry->undo.size > 0;
    return SAKER_OK;
}

/* Nothing of it can be read. */
static void check_sealed (const sim_peer_t *peer, const skr_collection_t *collection)
{
    static const skr_fingerprint_t none;
    skr_replica_t *replica = replica_of (peer);
    uint64_t cells = 0;
    bool undo = false;
    const skr_clock_t *cut = skr_cut_clock (replica, &collection->id);
    saker_err_t error = skr_log_missing (skr_replica_store (replica), SKR_COMMITTED, collection->no,
                                         &collection->clock, cut, look_at_entry, &undo);
    if (error == SAKER_OK) {
        error =
            skr_cells_store_all (replica->cells, SKR_COMMITTED, collection->no, count_cell, &cells);
    }
    if (error != SAKER_OK && !is_excused (peer, error)) {
        sim_fail ("peer %d cannot read what it relays: %s", peer->no, skr_error ());
    }
    if (undo || cells || collection->documents
        || !skr_fingerprint_equal (&collection->fingerprint, &none)) {
        sim_fail ("peer %d, which may only relay, holds what can be read", peer->no);
    }
}

static void final_check (sim_peer_t *peer)
{
    skr_replica_t *replica = replica_of (peer);
    for (size_t i = 1; i < skr_replica_collections (replica) && !sim.failed; i++) {
        history_t history;
        const skr_collection_t *collection = skr_replica_collection_at (replica, i);
        if (collection->sealed) {
            check_sealed (peer, collection);
            continue;
        }
        if (!collection->name[0] && collection->clock.count) {
            sim_fail ("peer %d does not know the name of a collection", peer->no);
        }
        check_collection (peer, collection, &history);
        if (!sim.failed && !peer->damaged && !is_lost (peer, collection)
            && skr_carrying (replica, &collection->id)) {
            check_acked (peer, &history);
            check_rights (&history, skr_replica_roster (replica));
        }
        free_history (&history);
    }
    skr_store_forget (skr_replica_store (replica));
}

static bool both_carry (const sim_peer_t *one, const sim_peer_t *other, const skr_id_t *collection)
{
    return skr_carrying (replica_of (one), collection)
           && skr_carrying (replica_of (other), collection);
}

/* Leaves the lines of documents that a peer shows. */
static void keep_shown (const sim_peer_t *peer, const skr_collection_t *collection, lines_t *lines)
{
    size_t kept = 0;
    for (size_t i = 0; i < lines->count; i++) {
        char document[16];
        snprintf (document, sizeof document, "%.*s", (int) strcspn (lines->list[i], " "),
                  lines->list[i]);
        if (shows (peer, collection, document)) {
            lines->list[kept++] = lines->list[i];
        } else {
            free (lines->list[i]);
        }
    }
    lines->count = kept;
}

/* Equal exports, line by line, of what both carry. */
static void check_equal (const sim_peer_t *one, const sim_peer_t *other)
{
    skr_replica_t *replica = replica_of (one);
    for (size_t i = 1; i < skr_replica_collections (replica) && !sim.failed; i++) {
        const skr_collection_t *ours = skr_replica_collection_at (replica, i);
        const skr_collection_t *theirs = skr_replica_collection (replica_of (other), &ours->id);
        lines_t left = {0}, right = {0};
        bool read =
            theirs && !ours->sealed && !theirs->sealed && both_carry (one, other, &ours->id);
        if (read && show (one, ours, &left) && show (other, theirs, &right)) {
            keep_shown (other, theirs, &left);
            keep_shown (one, ours, &right);
            compare (other, theirs, &left, &right);
        }
        free_lines (&left);
        free_lines (&right);
    }
}

/* ---- the past: whatever came first, the same changes give the same */

typedef struct past_t {
    const skr_collection_t *collection;
    const char *document;
    uint64_t hlc; /* of some entry */
    skr_fingerprint_t sum;
} past_t;

static saker_err_t add_past (const skr_entry_t *entry, void *argument)
{
    past_t *past = argument;
    skr_fingerprint_add (&past->sum, &past->collection->id, skr_span_text (past->document), entry);
    return SAKER_OK;
}

static saker_err_t note_hlc (const skr_leaf_t *leaf, void *argument)
{
    *(uint64_t *) argument = leaf->hlc;
    return SKR_STOP;
}

static bool read_past (const sim_peer_t *peer, const skr_collection_t *collection, past_t *past)
{
    skr_past_t *opened;
    skr_replica_t *replica = replica_of (peer);
    past->collection = collection;
    past->sum = (skr_fingerprint_t){0};
    saker_err_t error = skr_past_open (&opened, replica, SKR_COMMITTED, collection,
                                       skr_span_text (past->document), past->hlc);
    if (error == SAKER_OK) {
        const skr_cells_t *cells = skr_past_cells (opened);
        error =
            cells->scan (cells->context, skr_span (NULL, 0), skr_span (NULL, 0), add_past, past);
        skr_past_close (&opened);
    }
    skr_store_forget (skr_replica_store (replica));
    bool cut = error == SAKER_EGAP && sim.counts[SIM_CUT];
    if (error != SAKER_OK && !cut && !is_excused (peer, error)) {
        sim_fail ("peer %d cannot read the past of %s: %s", peer->no, collection->name,
                  skr_error ());
    }
    return error == SAKER_OK;
}

static void compare_past (const sim_peer_t *one, const sim_peer_t *other,
                          const skr_collection_t *ours, const skr_collection_t *theirs,
                          const char *document)
{
    past_t left = {.document = document}, right;
    saker_err_t error = skr_replica_read (replica_of (one), ours, skr_span_text (document),
                                          skr_span (NULL, 0), note_hlc, &left.hlc);
    if (error != SKR_STOP && error != SAKER_OK) {
        return;
    }
    left.hlc--; /* right before the first leaf was written */
    right = left;
    if (read_past (one, ours, &left) && read_past (other, theirs, &right)
        && !skr_fingerprint_equal (&left.sum, &right.sum)) {
        sim_fail ("peer %d and peer %d have another past of %s/%s", one->no, other->no, ours->name,
                  document);
    }
}

static void check_past (const sim_peer_t *one, const sim_peer_t *other)
{
    skr_replica_t *replica = replica_of (one);
    for (size_t i = 1; i < skr_replica_collections (replica) && !sim.failed; i++) {
        const skr_collection_t *ours = skr_replica_collection_at (replica, i);
        const skr_collection_t *theirs = skr_replica_collection (replica_of (other), &ours->id);
        lines_t documents = {0};
        showing_t showing = {one, ours, &documents};
        if (theirs && !ours->sealed && !theirs->sealed && both_carry (one, other, &ours->id)
            && skr_replica_documents (replica, ours, skr_span (NULL, 0), show_document, &showing)
                   == SAKER_OK) {
            for (size_t k = 0; k < documents.count && k < 16 && !sim.failed; k++) {
                if (shows (other, theirs, documents.list[k])) {
                    compare_past (one, other, ours, theirs, documents.list[k]);
                }
            }
        }
        free_lines (&documents);
    }
}

void sim_oracle_final (void)
{
    const sim_peer_t *first = sound (0);
    if (is_unsettled ()) {
        return;
    }
    for (int i = 0; i < sim.peers_count && !sim.failed; i++) {
        sim_peer_t *peer = &sim.peers[i];
        if (sim_oracle_is_outside (peer)) {
            continue;
        }
        if (peer->node) {
            final_check (peer);
        }
        if (peer->node && !peer->damaged) {
            check_equal (first, peer);
        }
        if (peer->node && !peer->damaged && !sim.forks) {
            check_past (first, peer);
        }
    }
}

void sim_oracle_begin (void)
{
    acked_count = 0;
    put_back = NULL;
    not_shown_count = refused_count = 0;
    memset (known, 0, sizeof known);
}

void sim_oracle_end (void)
{
    for (int i = 0; i <= SIM_PEERS_MAX; i++) {
        for (int k = 0; k < COLLECTIONS_MAX; k++) {
            skr_clock_free (&seen[i][k].clock);
            skr_clock_free (&seen[i][k].cut_clock);
            skr_clock_free (&seen[i][k].cut_had);
            skr_clock_free (&seen[i][k].before);
            skr_clock_free (&seen[i][k].most);
            skr_clock_free (&seen[i][k].left_first);
            skr_clock_free (&seen[i][k].left_last);
            skr_part_free (&seen[i][k].part);
        }
    }
    memset (seen, 0, sizeof seen);
    memset (outs, 0, sizeof outs);
    sim_made_end ();
}
