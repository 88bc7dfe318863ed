/* Peers: a mesh is founded once for each size, on templates that every run copies; then peers
   start, take their rounds, crash and start again, each with its own clock. */

#include "tests/sim/sim.h"

#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALL_START_MS 1700000000000ull
#define MONO_START_MS 1000000ull
#define LARGE_CHANGES 1100 /* more than SKR_ANSWER_SNAPSHOT_CHANGES */
#define RESTART_MIN_MS 50
#define RESTART_MAX_MS 3000

sim_t sim = {.current = -1};

/* ---- clocks */

static uint64_t wall_ms (void *context)
{
    const sim_peer_t *peer = context;
    if (peer->wall_stopped) {
        return peer->wall_stopped_ms;
    }
    int64_t drifted = peer->drift_percent * (int64_t) (sim.now_ms - peer->drift_since_ms) / 100;
    return WALL_START_MS + sim.now_ms + (uint64_t) (peer->wall_offset_ms + drifted);
}

static uint64_t mono_ms (void *context)
{
    (void) context;
    return sim.now_ms;
}

static void take_log (void *context, skr_level_t level, const char *message)
{
    const sim_peer_t *peer = context;
    (void) level;
    sim_trace ("peer %d says: %s", peer->no, message);
    if (strstr (message, "goes on as one")) {
        sim_count (SIM_SUCCESSION, "peer %d", peer->no);
    }
}

/* The machine is the peer's number in the roster; what is copied as users copy is another file. */
static bool home (void *context, const char *folder, skr_home_t *home)
{
    const sim_peer_t *peer = context;
    (void) folder;
    *home = (skr_home_t){.file = 1, .born_ns = 1 + peer->born};
    memset (home->machine, 1 + peer->machine, sizeof home->machine);
    return true;
}

/* ---- files */

static int remove_one (const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void) status, (void) type, (void) walk;
    return remove (path);
}

void sim_store_remove (const char *folder)
{
    nftw (folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void copy_file (const char *from, const char *to)
{
    static const char *const left[] = {"lock", "lock.mdb"};
    const char *name = strrchr (from, '/') + 1;
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        if (strcmp (name, left[i]) == 0) {
            return;
        }
    }
    FILE *in = fopen (from, "re");
    FILE *out = fopen (to, "we");
    static char bytes[1 << 16];
    size_t size;
    while (in && out && (size = fread (bytes, 1, sizeof bytes, in)) > 0) {
        fwrite (bytes, 1, size, out);
    }
    if (in) {
        fclose (in);
    }
    if (out) {
        fchmod (fileno (out), 0600);
        fclose (out);
    }
}

static const char *copy_from, *copy_to;

static int copy_one (const char *path, const struct stat *status, int type, struct FTW *walk)
{
    char to[256];
    (void) status, (void) walk;
    snprintf (to, sizeof to, "%s%s", copy_to, path + strlen (copy_from));
    if (type == FTW_D) {
        mkdir (to, 0700);
    } else if (type == FTW_F) {
        copy_file (path, to);
    }
    return 0;
}

void sim_store_copy (const char *from, const char *to)
{
    copy_from = from;
    copy_to = to;
    nftw (from, copy_one, 16, FTW_PHYS);
}

/* ---- founding */

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != SAKER_OK) {                                                                  \
            sim_fail ("found the mesh: %s: %s", #call, skr_error ());                              \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

/* Admits one more device and makes its store, which its first start introduces to the others. */
static bool adopt (skr_replica_t *founder, const skr_world_t *world, const char *store, int no,
                   skr_role_t role)
{
    static const char *const addresses[] = {"tcp://10.0.0.1:5677"};
    static const skr_id_t roster_id;
    skr_member_t candidate = {.role = role};
    skr_ticket_t ticket;
    skr_device_t *device = NULL;
    skr_clock_t nothing = {0};
    skr_buf_t changes = {0}, roster = {0};
    uint8_t key[32];
    size_t count = 0;
    bool more = false;
    MUST (skr_device_new (&device));
    memcpy (candidate.device, skr_device_key (device), 32);
    memcpy (candidate.transport, skr_device_transport_key (device), 32);
    snprintf (candidate.name, sizeof candidate.name, "peer%d", no);
    MUST (skr_replica_begin (founder));
    MUST (skr_replica_invite (founder, role, wall_ms (world->context) + 60000, addresses, 1,
                              &ticket));
    skr_ticket_key (&ticket, key);
    MUST (skr_replica_admit (founder, key, &candidate));
    MUST (skr_replica_commit (founder));
    MUST (skr_replica_pull (founder, &roster_id, &nothing, 1 << 20, &changes, &count, &more));
    skr_cbor_put_array (&roster, count);
    skr_buf_append_span (&roster, skr_span_of (&changes));
    MUST (skr_replica_adopt (store, device, skr_roster_mesh (skr_replica_roster (founder)),
                             skr_span_of (&roster), world));
    skr_buf_free (&roster);
    skr_buf_free (&changes);
    skr_device_destroy (&device);
    return true;
}

static bool fill_large (skr_replica_t *founder)
{
    skr_buf_t path = {0};
    MUST (skr_path_from_pointer (&path, "/n"));
    MUST (skr_replica_begin (founder));
    for (int i = 0; i < LARGE_CHANGES; i++) {
        saker_receipt_t receipt;
        skr_buf_t value = {0};
        char document[16];
        snprintf (document, sizeof document, "d%d", i % 40);
        skr_cbor_put_int (&value, i);
        skr_intent_t intent = {.kind = i % 3 ? SKR_INTENT_SET : SKR_INTENT_INCR,
                               .document = skr_span_text (i % 3 ? document : "sum"),
                               .path = skr_span_of (&path),
                               .value = skr_span_of (&value)};
        skr_local_t local = {.collection = "large", .intents = &intent, .count = 1};
        if (i) { /* nothing is incremented by 0 */
            MUST (skr_replica_write (founder, &local, &receipt));
        }
        skr_buf_free (&value);
    }
    MUST (skr_replica_commit (founder));
    skr_buf_free (&path);
    return true;
}

static bool make_template (const char *folder, int members, bool large)
{
    static sim_peer_t person;
    skr_world_t world = {&person, wall_ms, mono_ms, take_log, home, NULL};
    skr_replica_t *founder = NULL;
    char store[160];
    person.machine = 0;
    sim_chance_seed (4711 + (uint64_t) members);
    mkdir (folder, 0700);
    snprintf (store, sizeof store, "%s/0", folder);
    MUST (skr_replica_found (store, "studio", "peer0", &world));
    MUST (skr_replica_open (&founder, store, &world));
    for (int i = 1; i < members; i++) {
        bool reads = members >= 4 && i == members - 1;
        snprintf (store, sizeof store, "%s/%d", folder, i);
        person.machine = i;
        if (!adopt (founder, &world, store, i, reads ? SKR_ROLE_READ : SKR_ROLE_WRITE)) {
            return false;
        }
    }
    if (large && !fill_large (founder)) {
        return false;
    }
    skr_replica_close (&founder);
    return true;
}

void sim_peer_place (sim_peer_t *peer)
{
    char root[sizeof sim.root];
    memcpy (root, sim.root, sizeof root);
    snprintf (peer->folder, sizeof peer->folder, "%s/peer%d", root, peer->no);
    if (peer->calls) {
        snprintf (peer->config.listen, sizeof peer->config.listen, SKR_LISTEN_NONE);
        peer->config.beacon = false; /* it would open a socket of this machine */
    } else {
        snprintf (peer->config.listen, sizeof peer->config.listen, "tcp://10.0.0.%d:5677",
                  peer->no + 1);
    }
}

static void configure (sim_peer_t *peer, int no)
{
    saker_config_t *config = &peer->config;
    config->beacon_port = SKR_BEACON_PORT_DEFAULT;
    config->folds = sim.folds;
    config->history_ms = sim.history ? SKR_HISTORY_MS_DEFAULT : 0;
    config->log_level = sim.options.trace ? SKR_LOG_DEBUG : SKR_LOG_INFO;
    snprintf (config->seeds[0], sizeof config->seeds[0], "tcp://10.0.0.%d:5677",
              no == 0 ? 2 : (no - 1) / 2 + 1);
    /* who admitted it: joining leaves that address in the store. A clone of the founder, which
       nobody knows the address of, has to find somebody by itself */
    snprintf (config->seeds[1], sizeof config->seeds[1], "tcp://10.0.0.%d:5677", no ? 1 : 3);
    config->seeds_count = 2;
}

static void set_up (int no)
{
    sim_peer_t *peer = &sim.peers[no];
    memset (peer, 0, sizeof *peer);
    peer->no = peer->machine = no;
    peer->world = (skr_world_t){peer, wall_ms, mono_ms, take_log, home, NULL};
    peer->wake_ms = UINT64_MAX;
    peer->restart_ms = sim.now_ms + sim_below (SIM_MIX, 1000);
    sim_peer_place (peer);
    configure (peer, no);
}

bool sim_peers_found (int members, bool large)
{
    char folder[96], from[128];
    struct stat status;
    uint64_t seed = sim.options.seed;
    sim.now_ms = MONO_START_MS;
    sim.members = sim.peers_count = members;
    sim.large = large;
    snprintf (folder, sizeof folder, "%s/mesh-%d-%d", sim.root, members, large);
    if (stat (folder, &status) != 0 && !make_template (folder, members, large)) {
        return false;
    }
    sim_chance_seed (seed);
    bool beacons = sim_one_in (SIM_MIX, 3);
    bool skewed = sim_one_in (SIM_MIX, 2);
    sim.history = sim_one_in (SIM_MIX, 3);
    sim.folds = !sim.history && sim_one_in (SIM_MIX, 2);
    bool some_call = sim_one_in (SIM_CALLS, 3); /* all know the first, which listens */
    for (int i = 0; i < members; i++) {
        set_up (i);
        sim.peers[i].config.beacon = beacons;
        /* no two clocks agree: within what the hybrid clock bears without a mark, to and fro */
        sim.peers[i].wall_offset_ms = skewed ? (int64_t) sim_below (SIM_MIX, 40000) - 20000 : 0;
        snprintf (from, sizeof from, "%s/%d", folder, i);
        sim.peers[i].calls = some_call && i > 0 && sim_one_in (SIM_CALLS, 2);
        sim_peer_place (&sim.peers[i]);
        sim_store_copy (from, sim.peers[i].folder);
    }
    return true;
}

/* ---- one more */

#define TRY_JOIN(call)                                                                             \
    do {                                                                                           \
        if ((call) != SAKER_OK || sim.peers[0].crashed) {                                          \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

/* On the founder's disk, which may fail. */
static bool admit_one (skr_replica_t *founder, const skr_device_t *device, skr_buf_t *changes,
                       size_t *count)
{
    static const char *const addresses[] = {"tcp://10.0.0.1:5677"};
    static const skr_id_t roster_id;
    const skr_clock_t nothing = {0};
    skr_member_t candidate = {.role = SKR_ROLE_WRITE};
    skr_ticket_t ticket;
    uint8_t key[32];
    bool more = false;
    memcpy (candidate.device, skr_device_key (device), 32);
    memcpy (candidate.transport, skr_device_transport_key (device), 32);
    snprintf (candidate.name, sizeof candidate.name, SIM_LATE_NAME);
    TRY_JOIN (skr_replica_begin (founder));
    TRY_JOIN (skr_replica_invite (founder, SKR_ROLE_WRITE,
                                  sim.peers[0].world.wall_ms (&sim.peers[0]) + 60000, addresses, 1,
                                  &ticket));
    skr_ticket_key (&ticket, key);
    TRY_JOIN (skr_replica_admit (founder, key, &candidate));
    TRY_JOIN (skr_replica_commit (founder));
    TRY_JOIN (skr_replica_pull (founder, &roster_id, &nothing, 1 << 20, changes, count, &more));
    return true;
}

bool sim_peer_join (void)
{
    sim_peer_t *founder = &sim.peers[0], *peer = &sim.peers[sim.peers_count];
    skr_replica_t *replica = founder->node->replica;
    skr_device_t *device = NULL;
    skr_buf_t changes = {0}, roster = {0};
    size_t count = 0;
    if (!skr_store_settled (skr_replica_store (replica)) || skr_device_new (&device) != SAKER_OK) {
        return false;
    }
    sim.current = 0;
    bool good = admit_one (replica, device, &changes, &count);
    if (!good) {
        sim.ghost = true; /* a commit that failed may have happened */
        skr_replica_abort (replica);
    }
    sim.current = -1;
    founder->wake_ms = sim.now_ms;
    skr_cbor_put_array (&roster, count);
    skr_buf_append_span (&roster, skr_span_of (&changes));
    if (good) {
        set_up (sim.peers_count);
        peer->joined = true;
        peer->config.beacon = founder->config.beacon;
        good =
            skr_replica_adopt (peer->folder, device, skr_roster_mesh (skr_replica_roster (replica)),
                               skr_span_of (&roster), &peer->world)
            == SAKER_OK;
        if (!good) {
            sim_fail ("a device that was admitted does not get a store: %s", skr_error ());
        }
    }
    if (good) {
        sim.peers_count++;
        sim_oracle_joined (peer);
    }
    skr_buf_free (&roster);
    skr_buf_free (&changes);
    skr_device_destroy (&device);
    return good;
}

/* ---- life */

void sim_peer_start (sim_peer_t *peer)
{
    peer->starts++;
    peer->restart_ms = UINT64_MAX;
    peer->stops = false;
    sim_trace ("peer %d starts", peer->no);
    sim.current = peer->no;
    saker_err_t error = skr_node_new (&peer->node, peer->folder, &peer->config, &peer->world, -1);
    if (error == SAKER_OK) {
        skr_node_enter (peer->node);
    }
    sim.current = -1;
    peer->wake_ms = sim.now_ms;
    if (error != SAKER_OK || peer->crashed) {
        sim_disk_t *disk = &sim_disks[peer->no];
        bool excused = peer->crashed || peer->damaged || disk->full || disk->write_errors
                       || disk->sync_errors || sim.counts[SIM_NO_MEMORY];
        sim_trace ("peer %d does not start: %s", peer->no, skr_error ());
        if (!excused) {
            sim_fail ("peer %d does not start: %s", peer->no, skr_error ());
        }
        peer->crashed = true;
        sim_peer_crash (peer);
        return;
    }
    memcpy (peer->device, skr_device_key (skr_replica_device (peer->node->replica)),
            sizeof peer->device);
    sim_oracle_started (peer);
}

static void destroy (sim_peer_t *peer)
{
    sim.beats += peer->node ? peer->node->stats.beats_out : 0;
    sim.current = peer->no;
    skr_node_destroy (&peer->node);
    sim.current = -1;
    uint64_t left = sim_memory_held (peer->no);
    if (left) {
        sim_fail ("peer %d has ended and still holds %llu bytes of memory", peer->no,
                  (unsigned long long) left);
    }
}

static void end (sim_peer_t *peer)
{
    sim_clients_lost (peer->no);
    destroy (peer);
    peer->wake_ms = UINT64_MAX;
    peer->restart_ms =
        sim.now_ms + RESTART_MIN_MS + sim_below (SIM_TROUBLE, RESTART_MAX_MS - RESTART_MIN_MS);
}

void sim_peer_crash (sim_peer_t *peer)
{
    sim_trace ("peer %d crashes", peer->no);
    peer->crashed = true; /* nothing leaves it any more, nothing reaches its disk */
    sim_network_cut (peer->no);
    end (peer);
    sim_disk_lose (peer->no);
    sim_disks[peer->no] =
        (sim_disk_t){.writes = sim_disks[peer->no].writes, .syncs = sim_disks[peer->no].syncs};
    peer->crashed = false;
}

void sim_peer_stop (sim_peer_t *peer)
{
    sim_trace ("peer %d stops", peer->no);
    sim.current = peer->no;
    skr_node_leave (peer->node);
    sim.current = -1;
    if (peer->crashed) { /* while it brought its journal into its data */
        sim_peer_crash (peer);
        return;
    }
    end (peer);
    sim_network_cut (peer->no);
    sim_disk_settle (peer->no);
}

void sim_peer_round (sim_peer_t *peer)
{
    peer->rounds++;
    sim.rounds++;
    sim.current = peer->no;
    skr_node_round (peer->node);
    sim.current = -1;
    if (peer->wake_ms <= sim.now_ms) {
        peer->wake_ms = sim.now_ms + 1;
    }
    if (peer->crashed) {
        sim_peer_crash (peer);
    } else {
        sim_oracle_round (peer);
    }
}

bool sim_peers_damaged (void)
{
    for (int i = 0; i < sim.peers_count; i++) {
        if (sim.peers[i].damaged) {
            return true;
        }
    }
    return false;
}

void sim_peers_end (void)
{
    for (int i = 0; i <= SIM_PEERS_MAX; i++) {
        sim_peer_t *peer = &sim.peers[i];
        if (peer->node) {
            peer->crashed = true;
            sim_network_cut (i);
            destroy (peer);
            peer->crashed = false;
        }
        if (peer->folder[0]) {
            sim_disk_settle (i);
            sim_store_remove (peer->folder);
        }
        peer->folder[0] = 0;
    }
}
