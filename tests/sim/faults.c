/* Faults: each run has a mix of its own, so that some runs have much of one kind and none of the
   others (a mesh that always suffers from everything never gets far). */

#include "tests/sim/sim.h"

#include "crdt/change.h"
#include "peer/carrying.h"
#include "peer/partial.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const texts[SIM_FAULT_COUNT] = {
#define SIM_FAULT_TEXT(name, text) [SIM_##name] = text,
    SIM_FAULTS (SIM_FAULT_TEXT)
#undef SIM_FAULT_TEXT
};

/* In one of how many runs a fault is part of the mix, where that is not one in three. */
static const uint64_t rarity[SIM_FAULT_COUNT] = {
    [SIM_BIT_FLIP] = 16,     [SIM_AWAY] = 10,       [SIM_OLD_COPY] = 6,   [SIM_CLONE] = 12,
    [SIM_NO_MEMORY] = 6,     [SIM_LOST_WRITES] = 1, [SIM_TORN_WRITE] = 1, [SIM_SNAPSHOT_CRASH] = 1,
    [SIM_SNAPSHOT_STOP] = 1, [SIM_NO_PUB] = 24,     [SIM_ROLE] = 4,       [SIM_FENCE] = 6,
    [SIM_LEAVE] = 4,         [SIM_COME_BACK] = 1,   [SIM_DROP] = 1,       [SIM_PART] = 4,
};

static uint64_t mix;
static uint64_t next_ms;
static uint64_t gap_ms;
static uint64_t flap_ms; /* next toggle; UINT64_MAX: none flaps */
static int flap_from, flap_to;
static bool copied; /* an old copy of a store is kept */
static int copied_peer;
static uint64_t full_until_ms[SIM_PEERS_MAX + 1];

const char *sim_fault_text (sim_fault_t fault)
{
    return texts[fault];
}

bool sim_may (sim_fault_t fault)
{
    return !sim.healing && (mix >> fault & 1) && !(sim.options.disabled >> fault & 1);
}

void sim_count (sim_fault_t fault, const char *format, ...)
{
    sim.counts[fault]++;
    if (sim.options.trace) {
        char text[256];
        va_list arguments;
        va_start (arguments, format);
        vsnprintf (text, sizeof text, format, arguments);
        va_end (arguments);
        sim_trace ("fault %s: %s", texts[fault], text);
    }
}

static uint64_t trouble (uint64_t bound)
{
    return sim_below (SIM_TROUBLE, bound);
}

static sim_peer_t *any_peer (void)
{
    return &sim.peers[trouble ((uint64_t) sim.peers_count)];
}

/* ---- paths */

static void path_of (int from, int to)
{
    sim_path_t *path = &sim_paths[from][to];
    *path =
        (sim_path_t){.delay_ms = 1 + (uint32_t) trouble (20), .jitter_ms = (uint32_t) trouble (20)};
    if (sim_may (SIM_LOSS) && trouble (2)) {
        path->loss = 2 + (uint32_t) trouble (20);
    }
    if (sim_may (SIM_DUPLICATE) && trouble (2)) {
        path->duplicate = 2 + (uint32_t) trouble (20);
    }
    if (sim_may (SIM_REORDER) && trouble (2)) {
        path->reorder = 2 + (uint32_t) trouble (20);
    }
    if (sim_may (SIM_DAMAGE) && trouble (2)) {
        path->damage = 3 + (uint32_t) trouble (20);
    }
    if (sim_may (SIM_DELAY) && !trouble (4)) {
        path->delay_ms = 1 + (uint32_t) trouble (trouble (2) ? 2000 : 60000);
    }
    if (sim_may (SIM_SLOW) && !trouble (4)) {
        path->bytes_a_second = 1024;
    }
    path->pub_lost = sim_may (SIM_PUB_LOST) && trouble (2);
    if (sim_may (SIM_ONE_WAY) && !trouble (6)) {
        path->blocked = true;
        sim_count (SIM_ONE_WAY, "nothing goes from peer %d to peer %d", from, to);
    }
}

static void split (void)
{
    uint64_t sides = sim_random (SIM_TROUBLE);
    for (int i = 0; i < sim.peers_count; i++) {
        for (int k = 0; k < sim.peers_count; k++) {
            if ((sides >> i & 1) != (sides >> k & 1)) {
                sim_paths[i][k].blocked = true;
            }
        }
    }
    sim_count (SIM_SPLIT, "sides %llx", (unsigned long long) sides & 0xffff);
}

static void ring (void)
{
    int count = sim.peers_count;
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < count; k++) {
            if ((i + 1) % count != k && (k + 1) % count != i) {
                sim_paths[i][k].blocked = true;
            }
        }
    }
    sim_count (SIM_RING, "each reaches only its two neighbours");
}

static void change_paths (void)
{
    for (int i = 0; i < sim.peers_count; i++) {
        for (int k = 0; k < sim.peers_count; k++) {
            path_of (i, k);
        }
    }
    if (sim_may (SIM_SPLIT) && trouble (2)) {
        split ();
    } else if (sim_may (SIM_RING) && trouble (2)) {
        ring ();
    }
    flap_ms = sim_may (SIM_FLAP) ? sim.now_ms : UINT64_MAX;
    flap_from = (int) trouble ((uint64_t) sim.peers_count);
    flap_to = (int) trouble ((uint64_t) sim.peers_count);
}

static void flap (void)
{
    bool blocked = !sim_paths[flap_from][flap_to].blocked;
    sim_paths[flap_from][flap_to].blocked = sim_paths[flap_to][flap_from].blocked = blocked;
    sim_count (SIM_FLAP, "the path between peers %d and %d %s", flap_from, flap_to,
               blocked ? "goes" : "comes");
    flap_ms = sim.now_ms + 20 + trouble (1500);
}

/* ---- machines and their clocks */

static void change_clock (sim_peer_t *peer)
{
    if (sim_may (SIM_CLOCK_JUMP) && trouble (2)) {
        int64_t day = (int64_t) SIM_DAY_MS;
        peer->wall_offset_ms = (int64_t) trouble ((uint64_t) (20 * day)) - 10 * day;
        sim_count (SIM_CLOCK_JUMP, "peer %d: by %lld s", peer->no,
                   (long long) peer->wall_offset_ms / 1000);
    }
    if (sim_may (SIM_CLOCK_BACK) && trouble (2)) {
        peer->wall_offset_ms -= (int64_t) trouble (3600000);
        sim_count (SIM_CLOCK_BACK, "peer %d", peer->no);
    }
    if (sim_may (SIM_CLOCK_STOP) && trouble (2)) {
        peer->wall_stopped_ms = peer->world.wall_ms (peer);
        peer->wall_stopped = true;
        sim_count (SIM_CLOCK_STOP, "peer %d", peer->no);
    }
    if (sim_may (SIM_CLOCK_DRIFT) && trouble (2)) {
        peer->drift_since_ms = sim.now_ms;
        peer->drift_percent = trouble (2) ? 10 : -10;
        sim_count (SIM_CLOCK_DRIFT, "peer %d: %d %%", peer->no, peer->drift_percent);
    }
}

static void trouble_disk (sim_peer_t *peer)
{
    sim_disk_t *disk = &sim_disks[peer->no];
    if (sim_may (SIM_CRASH_WRITE) && trouble (2)) {
        disk->crash_write = disk->writes + 1 + trouble (60);
    }
    if (sim_may (SIM_CRASH_SYNC) && trouble (2)) {
        disk->crash_sync = disk->syncs + 1 + trouble (6);
    }
    if (sim_may (SIM_FAILED_WRITE) && trouble (2)) {
        uint64_t at = disk->writes + 1 + trouble (60);
        disk->fail_write = trouble (2) ? at : disk->fail_write;
        disk->fail_count = 1 + trouble (3);
        disk->short_write = trouble (2) ? at : disk->short_write;
    }
    if (sim_may (SIM_FAILED_SYNC) && trouble (2)) {
        disk->fail_sync = disk->syncs + 1 + trouble (6);
    }
    if (sim_may (SIM_FULL_DISK) && !disk->full && trouble (2)) {
        disk->full = true;
        full_until_ms[peer->no] = sim.now_ms + 200 + trouble (6000);
    }
}

static void look_at_disks (void)
{
    for (int i = 0; i < sim.peers_count; i++) {
        if (sim_disks[i].full && full_until_ms[i] <= sim.now_ms) {
            sim_trace ("peer %d: the disk has room again", i);
            sim_disks[i].full = false;
        }
    }
}

/* Of a store that runs twice both are left out: others may have a link to the one alone that takes
   nothing any more, and the two cannot settle what they wrote under one seq. */
static void note_damage (sim_peer_t *peer)
{
    bool twice =
        sim.peers_count > sim.members && (peer->no == sim.cloned || peer->no == sim.members);
    peer->damaged = true;
    if (twice) {
        sim.peers[sim.cloned].damaged = sim.peers[sim.members].damaged = true;
    }
}

/* Not of the founder: through it the others hear of each other. */
static void flip_bit (sim_peer_t *peer)
{
    sim_peer_crash (peer);
    if (sim_disk_flip (peer->no)) {
        note_damage (peer);
        sim_count (SIM_BIT_FLIP, "in a record of peer %d", peer->no);
    }
}

/* Its machine is switched off for 400 days, while the others go on. */
static void send_away (sim_peer_t *peer)
{
    uint64_t days = 400 * SIM_DAY_MS;
    if (sim.counts[SIM_AWAY]) {
        return;
    }
    if (peer->node) {
        sim_peer_stop (peer);
    }
    sim.now_ms += days;
    sim_network_leap (days);
    sim_clients_leap ();
    for (int i = 0; i < sim.peers_count; i++) {
        sim_peer_t *other = &sim.peers[i];
        if (other->restart_ms != UINT64_MAX) {
            other->restart_ms += days;
        }
    }
    peer->restart_ms = sim.now_ms + 2000;
    next_ms = sim.now_ms;
    sim_count (SIM_AWAY, "peer %d", peer->no);
}

static void copy_store (sim_peer_t *peer)
{
    char old[96];
    snprintf (old, sizeof old, "%s/old", sim.root);
    if (peer->damaged || sim.counts[SIM_OLD_COPY]) {
        return;
    }
    if (!copied) {
        sim_peer_crash (peer);
        sim_store_remove (old);
        sim_store_copy (peer->folder, old);
        copied = true;
        copied_peer = peer->no;
        sim_oracle_copied (peer);
        return;
    }
    peer = &sim.peers[copied_peer];
    if (sim.leaves && sim_oracle_holds_alone (peer)) {
        return;
    }
    sim_peer_crash (peer);
    sim_store_remove (peer->folder);
    sim_store_copy (old, peer->folder);
    bool noticed = !sim.history || trouble (2); /* see is_unsettled: below what others have cut */
    if (noticed) {
        peer->born = sim.now_ms; /* as cp makes it */
    } else {
        peer->forked = sim.forks = true; /* as a rollback of the disk under it */
    }
    sim_oracle_put_back (peer);
    copied = false;
    sim_count (SIM_OLD_COPY, "peer %d starts from an old copy of its store%s", peer->no,
               noticed ? ", and can tell" : "");
}

/* Nobody knows the address of a clone of the founder: of the two that it knows one must listen. */
static bool finds_somebody (const sim_peer_t *peer)
{
    return peer->no > 0 || !sim.peers[1].calls || !sim.peers[2].calls;
}

static void clone_store (sim_peer_t *peer)
{
    if (peer->damaged || sim.peers_count > sim.members || sim.members == SIM_PEERS_MAX
        || !finds_somebody (peer)) {
        return;
    }
    sim_peer_t *twin = &sim.peers[sim.members];
    sim_peer_crash (peer);
    memset (twin, 0, sizeof *twin);
    *twin = *peer;
    twin->no = sim.members;
    twin->world.context = twin;
    sim_peer_place (twin);
    sim_store_copy (peer->folder, twin->folder);
    bool noticed = trouble (2), carried = trouble (2);
    if (noticed) { /* by its machine's id, or as a copy on the same one */
        twin->machine = carried ? SIM_PEERS_MAX + 1 : peer->machine;
        twin->born = carried ? peer->born : sim.now_ms;
        sim.twins = true;
    } else {
        peer->forked = twin->forked = sim.forks = true;
    }
    sim.cloned = peer->no;
    sim.peers_count++;
    sim_count (SIM_CLONE, "the store of peer %d runs twice%s", peer->no,
               noticed ? ", and can tell" : "");
}

/* Somebody comes when the mesh has cut already. */
static void join (void)
{
    bool room = sim.peers_count == sim.members && sim.members < SIM_PEERS_MAX;
    if (room && sim.peers[0].node && !sim.peers[0].crashed && !sim.peers[0].damaged && !sim.forks
        && sim_peer_join ()) {
        sim_count (SIM_JOIN, "peer %d", sim.members);
    }
}

static void crash_soon (int peer)
{
    sim_count (SIM_SNAPSHOT_CRASH, "peer %d", peer);
    sim.peers[peer].crashed = true; /* found at its next round */
    sim.peers[peer].wake_ms = sim.now_ms;
}

static void stop_soon (int peer)
{
    sim_count (SIM_SNAPSHOT_STOP, "peer %d", peer);
    sim.peers[peer].stops = true;
    sim.peers[peer].wake_ms = sim.now_ms;
}

/* Who is not up has nothing to lose; who takes part is up. */
void sim_faults_on_part (int from, int to)
{
    int peer = trouble (2) ? from : to;
    if (!sim.peers[peer].node) {
        return;
    }
    if (sim_may (SIM_SNAPSHOT_CRASH) && !trouble (6)) {
        crash_soon (peer);
    } else if (sim_may (SIM_SNAPSHOT_STOP) && !trouble (6)) {
        stop_soon (peer);
    }
}

bool sim_faults_no_pub (void)
{
    return (mix >> SIM_NO_PUB & 1) && !(sim.options.disabled >> SIM_NO_PUB & 1);
}

/* ---- who may not */

/* Publishes one first change of a writer in a collection, signed by a member. */
static bool forge (const sim_peer_t *peer, const skr_id_t *writer, const char *collection)
{
    static const skr_clock_t nothing;
    skr_replica_t *replica = peer->node->replica;
    uint8_t prev[32] = {0}, nonce[24], key_id[8], key[32];
    skr_buf_t ops = {0}, content = {0}, raw = {0}, frame = {0}, path = {0}, value = {0};
    bool made = false;
    skr_cbor_put_int (&value, 666);
    if (skr_path_from_pointer (&path, "/a") != SAKER_OK) {
        return false;
    }
    skr_op_put (&ops, SKR_OP_SET, skr_span_text ("d0"), skr_span_of (&path), NULL, 0,
                skr_span_of (&value));
    skr_content_put (&content, NULL, 0, skr_span_of (&ops), 1, skr_span (NULL, 0),
                     skr_span (NULL, 0), skr_span_text (collection));
    randombytes_buf (nonce, sizeof nonce);
    skr_draft_t draft = {.mesh = *skr_roster_mesh (skr_replica_roster (replica)),
                         .writer = *writer,
                         .seq = 1,
                         .hlc = 1,
                         .prev = prev,
                         .deps = &nothing,
                         .key_id = key_id,
                         .key = key,
                         .nonce = nonce,
                         .content = skr_span_of (&content),
                         .secret = skr_device_secret (skr_replica_device (replica))};
    skr_replica_collection_id (replica, collection, &draft.collection);
    if (skr_keyring_latest (skr_replica_keyring (replica), &draft.collection, key_id, key)
            == SAKER_OK
        && skr_change_build (&draft, &raw) == SAKER_OK) {
        skr_buf_append_byte (&frame, SKR_FRAME_LIVE);
        skr_cbor_put_array (&frame, 1);
        skr_cbor_put_bytes (&frame, raw.data, raw.size);
        sim_network_inject (peer->no, skr_span_of (&frame));
        made = true;
    }
    skr_buf_free (&ops);
    skr_buf_free (&content);
    skr_buf_free (&raw);
    skr_buf_free (&frame);
    skr_buf_free (&path);
    skr_buf_free (&value);
    return made;
}

/* A member that may only read writes in its own name, or any member in the name of another. */
static void lie (void)
{
    const sim_peer_t *reader = &sim.peers[sim.members - 1];
    const sim_peer_t *peer = any_peer (), *other = any_peer ();
    /* who may get the right to write later would have made a fork of itself */
    if (sim.members >= 4 && reader->node && !sim_may (SIM_ROLE)
        && forge (reader, skr_replica_writer (reader->node->replica), "shots")) {
        sim_count (SIM_LIAR, "peer %d publishes what it may not write", reader->no);
    }
    bool same = memcmp (peer->device, other->device, sizeof peer->device) == 0; /* a clone */
    if (peer != other && !same && peer->node && other->node
        && forge (peer, skr_replica_writer (other->node->replica), "forged")) {
        sim_count (SIM_LIAR, "peer %d publishes in the name of peer %d", peer->no, other->no);
    }
}

/* ---- rights */

static saker_err_t give_role (skr_replica_t *replica, const sim_peer_t *other, skr_role_t role,
                              bool here)
{
    SKR_TRY (skr_replica_begin (replica));
    return skr_replica_set_role (replica, other->device, here ? "shots" : NULL, role);
}

static saker_err_t rotate (skr_replica_t *replica)
{
    SKR_TRY (skr_replica_begin (replica));
    return skr_replica_rotate (replica);
}

/* One that came back may lack what others have cut already: the API lets it catch up first. */
static bool has_returned (const skr_replica_t *replica)
{
    const skr_roster_t *roster = skr_replica_roster (replica);
    const uint8_t *own = skr_device_key (skr_replica_device (replica));
    return skr_roster_has_returned (roster, own, NULL) || skr_roster_has_left (roster, own);
}

/* An admin changes the rights of another, or the keys; its next round commits that. */
static void change_rights (void)
{
    static const skr_role_t roles[] = {SKR_ROLE_NONE, SKR_ROLE_RELAY, SKR_ROLE_READ, SKR_ROLE_WRITE,
                                       SKR_ROLE_ADMIN};
    sim_peer_t *admin = trouble (2) ? &sim.peers[0] : any_peer ();
    const sim_peer_t *other = any_peer ();
    skr_role_t role = roles[trouble (5)];
    bool here = !trouble (4) && role != SKR_ROLE_NONE && role != SKR_ROLE_ADMIN;
    bool keys = !trouble (6);
    skr_replica_t *replica = admin->node ? admin->node->replica : NULL;
    if (!replica || admin->crashed || admin == other || admin->damaged
        || skr_replica_self (replica)->role != SKR_ROLE_ADMIN || has_returned (replica)) {
        return;
    }
    sim.current = admin->no;
    saker_err_t error = keys ? rotate (replica) : give_role (replica, other, role, here);
    if (error != SAKER_OK) {
        sim_trace ("peer %d changes no rights: %s", admin->no, skr_error ());
        skr_replica_abort (replica);
    }
    sim.current = -1;
    admin->wake_ms = sim.now_ms;
    if (error == SAKER_OK && keys) {
        sim_count (SIM_ROTATE, "peer %d makes new keys", admin->no);
    } else if (error == SAKER_OK) {
        sim.rights = true;
        sim_count (role ? SIM_ROLE : SIM_REVOKE, "peer %d gives peer %d the role %s%s", admin->no,
                   other->no, skr_role_text (role), here ? " in shots" : "");
    }
}

/* Mostly who is away; but also who is not. */
static void fence (void)
{
    sim_peer_t *admin = &sim.peers[0];
    const sim_peer_t *other = any_peer ();
    skr_replica_t *replica = admin->node ? admin->node->replica : NULL;
    for (int i = 0; i < sim.peers_count && trouble (3); i++) {
        other = sim.peers[i].node ? other : &sim.peers[i];
    }
    if (!replica || admin->crashed || admin->damaged || other == admin || has_returned (replica)) {
        return;
    }
    sim.current = admin->no;
    saker_err_t error = skr_replica_begin (replica);
    error = error == SAKER_OK ? skr_replica_fence (replica, other->device) : error;
    if (error != SAKER_OK) {
        sim_trace ("peer %d fences nobody: %s", admin->no, skr_error ());
        skr_replica_abort (replica);
    }
    sim.current = -1;
    admin->wake_ms = sim.now_ms;
    if (error == SAKER_OK) {
        sim.rights = sim.fences = true;
        sim_count (SIM_FENCE, "peer %d fences peer %d", admin->no, other->no);
    }
}

/* ---- what is carried */

static saker_err_t state_carried (skr_replica_t *replica, const skr_subscription_t *wanted)
{
    SKR_TRY (skr_replica_begin (replica));
    return skr_carrying_state (replica, wanted);
}

/* A device leaves a collection, or comes back to it; its next round commits that. */
static void change_carried (void)
{
    static const char *const names[] = {"shots", "notes", "large"};
    sim_peer_t *peer = any_peer ();
    skr_replica_t *replica = peer->node ? peer->node->replica : NULL;
    skr_subscription_t wanted = skr_subscription_all ();
    const char *name = names[trouble (3)];
    skr_id_t id;
    if (!replica || peer->crashed || peer->damaged
        || !skr_store_settled (skr_replica_store (replica))) {
        return;
    }
    skr_replica_collection_id (replica, name, &id);
    const skr_subscription_t *now =
        skr_roster_subscription (skr_replica_roster (replica), peer->device);
    bool carried = skr_subscription_carries (now, &id);
    if (!sim_may (carried ? SIM_LEAVE : SIM_COME_BACK)
        || skr_subscription_copy (&wanted, now) != SAKER_OK
        || skr_subscription_set (&wanted, &id, !carried) != SAKER_OK) {
        skr_subscription_free (&wanted);
        return;
    }
    wanted.rest = trouble (8) ? wanted.rest : !wanted.rest;
    sim.current = peer->no;
    saker_err_t error = state_carried (replica, &wanted);
    if (error != SAKER_OK) {
        sim_trace ("peer %d leaves nothing: %s", peer->no, skr_error ());
        skr_replica_abort (replica);
    }
    sim.current = -1;
    peer->wake_ms = sim.now_ms;
    if (error == SAKER_OK) {
        sim.leaves = true;
        for (int i = 0; i < 3; i++) {
            skr_replica_collection_id (replica, names[i], &id);
            if (!skr_subscription_carries (&wanted, &id)) {
                sim_oracle_left (peer, &id);
            }
        }
        sim_count (carried ? SIM_LEAVE : SIM_COME_BACK, "peer %d, %s%s", peer->no, name,
                   wanted.rest ? "" : ", and carries only what it names");
    }
    skr_subscription_free (&wanted);
}

/* ---- parts */

static saker_err_t choose_part (skr_part_t *part)
{
    static const char *const prefixes[] = {"d0", "d1", "d2", "d3", "d", "su", "x"};
    if (!trouble (3)) {
        return SAKER_OK; /* the whole */
    }
    skr_part_nothing (part);
    for (uint64_t i = 0, count = 1 + trouble (3); i < count; i++) {
        SKR_TRY (skr_part_add (part, skr_span_text (prefixes[trouble (7)])));
    }
    return SAKER_OK;
}

/* Every second peer may carry a part; the others carry all, so that there is always somebody who
   does, whatever happens to the founder's store. */
static void carry_part (void)
{
    static const char *const collections[] = {"shots", "notes", "large"};
    uint64_t no = 2 * (1 + trouble (1 + (uint64_t) sim.members / 2));
    sim_peer_t *peer = no < (uint64_t) sim.members ? &sim.peers[no] : &sim.peers[2];
    const char *collection = collections[trouble (sim.large ? 3 : 2)];
    skr_part_t part = {.partial = false};
    skr_replica_t *replica = sim.members > 2 && peer->node ? peer->node->replica : NULL;
    if (!replica || peer->crashed || peer->damaged) {
        return;
    }
    sim.current = peer->no;
    saker_err_t error = choose_part (&part);
    error = error == SAKER_OK ? skr_replica_begin (replica) : error;
    error = error == SAKER_OK ? skr_partial_want (replica, collection, &part) : error;
    if (error != SAKER_OK) {
        sim_trace ("peer %d does not carry another part: %s", peer->no, skr_error ());
        skr_replica_abort (replica);
    }
    sim.current = -1;
    peer->wake_ms = sim.now_ms;
    if (error == SAKER_OK) {
        char words[SKR_PART_WORDS_BYTES];
        sim.parts = true;
        sim_count (SIM_PART, "peer %d wants of %s: %s", peer->no, collection,
                   skr_part_words (&part, words));
    }
    sim.current = peer->no;
    skr_part_free (&part);
    sim.current = -1;
}

/* ---- when */

static void act (void)
{
    sim_peer_t *peer = any_peer ();
    if (sim_may (SIM_PART) && !trouble (4)) {
        carry_part ();
        return;
    }
    if (sim_may (SIM_FENCE) && !trouble (5)) {
        fence ();
        return;
    }
    if (sim_may (SIM_ROLE) && !trouble (3)) {
        change_rights ();
        return;
    }
    if (sim_may (SIM_LEAVE) && !trouble (3)) {
        change_carried ();
        return;
    }
    switch (trouble (10)) {
    case 0:
    case 1:
    case 2:
        change_paths ();
        break;
    case 3:
        if (sim_may (SIM_RESET)) {
            sim_count (SIM_RESET, "connections of peer %d", peer->no);
            sim_network_reset (peer->no);
        }
        break;
    case 4:
        if (sim_may (SIM_CRASH) && peer->node) {
            sim_count (SIM_CRASH, "peer %d", peer->no);
            sim_peer_crash (peer);
        }
        break;
    case 5:
    case 6:
        trouble_disk (peer);
        break;
    case 7:
        change_clock (peer);
        break;
    case 8:
        if (sim_may (SIM_JOIN) && !trouble (3)) {
            join ();
        }
        if (sim_may (SIM_STRANGER)) {
            sim_network_stranger (peer->no);
        }
        if (sim_may (SIM_LIAR)) {
            lie ();
        }
        if (sim_may (SIM_NO_MEMORY)) {
            sim_memory_fail (1 + trouble (3000), 1 + trouble (3));
        }
        break;
    default:
        if (sim_may (SIM_AWAY) && !trouble (4)) {
            send_away (peer);
        } else if (sim_may (SIM_BIT_FLIP) && peer->node && peer->no && !trouble (4)) {
            flip_bit (peer);
        } else if (sim_may (SIM_OLD_COPY) && peer->node) {
            copy_store (peer);
        } else if (sim_may (SIM_CLONE) && peer->node) {
            clone_store (peer);
        }
    }
}

void sim_faults_begin (void)
{
    mix = 0;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        uint64_t in = rarity[i] ? rarity[i] : 3;
        mix |= (uint64_t) sim_one_in (SIM_MIX, in) << i;
    }
    if (!sim.history) {
        /* one that runs twice holds the cut; see copy_store for one that was put back */
        mix &= ~(1ull << SIM_CLONE);
    }
    mix &= sim.folds ? ~(1ull << SIM_ROLE) : ~0ull;
    mix &= mix >> SIM_NO_PUB & 1 ? ~(1ull << SIM_LEAVE) : ~0ull; /* what counts is told by beats */
    gap_ms = 100 + sim_below (SIM_MIX, 2000);
    next_ms = sim.now_ms + trouble (3000);
    flap_ms = UINT64_MAX;
    copied = false;
    memset (full_until_ms, 0, sizeof full_until_ms);
    change_paths ();
}

uint64_t sim_faults_due_ms (void)
{
    return sim.healing ? UINT64_MAX : flap_ms < next_ms ? flap_ms : next_ms;
}

void sim_faults_run (void)
{
    if (sim.healing) {
        return;
    }
    if (flap_ms <= sim.now_ms) {
        flap ();
    }
    if (next_ms <= sim.now_ms) {
        next_ms = sim.now_ms + 1 + trouble (2 * gap_ms);
        look_at_disks ();
        act ();
    }
}

void sim_faults_heal (void)
{
    sim_trace ("everything heals");
    if (sim.counts[SIM_AWAY] && sim.counts[SIM_CLOCK_STOP]) {
        sim_clients_leap (); /* for a clock that stood still, 400 days pass now */
    }
    sim.healing = true;
    sim_memory_fail (0, 0);
    sim_network_heal ();
    for (int i = 0; i < sim.peers_count; i++) {
        sim_peer_t *peer = &sim.peers[i];
        sim_disk_t *disk = &sim_disks[i];
        disk->crash_write = disk->crash_sync = disk->fail_write = disk->short_write = 0;
        disk->fail_sync = 0;
        disk->full = false;
        peer->wall_stopped = false;
        if (!peer->node && peer->restart_ms > sim.now_ms + 1000) {
            peer->restart_ms = sim.now_ms + 1000;
        }
    }
}
