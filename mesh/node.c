/* The loop: waits, takes what came, commits it as one group, tells it, and looks after everything
   that is to be done now and then. */

#include "mesh/horizon.h"
#include "mesh/node_internal.h"

#include "peer/carrying.h"
#include "peer/fetching.h"
#include "peer/partial.h"
#include "peer/sealed.h"
#include "peer/settling.h"
#include "peer/succession.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_EVERY_MS 200 /* links look at themselves */
#define WAIT_MAX_MS 1000
#define ROTATION_LOOK_MS 60000
#define SETTLE_EVERY_MS 1000
#define REST_MS 10000      /* after the last group */
#define SHARE_TURN_MS 1000 /* after a change of the roster, for each admin before us */
#define PAUSE_MIN_MS 1000  /* nothing is pulled after a group that could not be stored */
#define PAUSE_MAX_MS 10000

uint64_t skr_node_now (const skr_node_t *self)
{
    return self->world.mono_ms (self->world.context);
}

static void filter_log (void *context, skr_level_t level, const char *message)
{
    const skr_node_t *self = context;
    bool watched = self->watched_until_ms && level <= self->watched_level
                   && skr_node_now (self) < self->watched_until_ms;
    if ((level <= self->log_level || watched) && self->outer->log) {
        self->outer->log (self->outer->context, level, message);
    }
}

static uint64_t outer_wall (void *context)
{
    const skr_node_t *self = context;
    return self->outer->wall_ms (self->outer->context);
}

static uint64_t outer_mono (void *context)
{
    const skr_node_t *self = context;
    return self->outer->mono_ms (self->outer->context);
}

static uint64_t outer_mono_us (void *context)
{
    const skr_node_t *self = context;
    return skr_world_mono_us (self->outer);
}

static bool outer_home (void *context, const char *folder, skr_home_t *home)
{
    const skr_node_t *self = context;
    return self->outer->home && self->outer->home (self->outer->context, folder, home);
}

/* ---- failures */

/* A disk that is full stays full for a while: what others hold is pulled again later, less and less
   often, and a failure is told once. */
static void note_failure (skr_node_t *self, saker_err_t error)
{
    uint64_t now_ms = skr_node_now (self);
    self->stats.failed_groups++;
    skr_log (&self->world, error == self->ailing ? SKR_LOG_DEBUG : SKR_LOG_ERROR, "%s",
             skr_error ());
    self->ailing = error;
    if (skr_err_passes (error) && now_ms >= self->links.claims.not_before_ms) {
        self->pause_ms = self->pause_ms ? 2 * self->pause_ms : PAUSE_MIN_MS;
        self->pause_ms = self->pause_ms < PAUSE_MAX_MS ? self->pause_ms : PAUSE_MAX_MS;
        self->links.claims.not_before_ms = now_ms + self->pause_ms;
    }
}

/* During a pause, small writes may succeed where large ones do not: that says nothing. */
static void note_success (skr_node_t *self)
{
    if (self->ailing != SAKER_OK && skr_node_now (self) >= self->links.claims.not_before_ms) {
        skr_log (&self->world, SKR_LOG_INFO, "the store takes writes again");
        self->ailing = SAKER_OK;
        self->pause_ms = 0;
    }
}

/* A store that failed in the middle of a group: nothing of the group counts. */
void skr_node_fail_group (skr_node_t *self, saker_err_t error)
{
    if (error == SAKER_OK) {
        return;
    }
    note_failure (self, error);
    skr_replica_abort (self->replica);
    skr_api_committed (self->api, error);
}

const uint8_t *skr_node_device (const skr_node_t *self)
{
    return skr_device_key (skr_replica_device (self->replica));
}

bool skr_node_is_own (const skr_node_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES])
{
    return memcmp (device, skr_node_device (self), SKR_DEVICE_KEY_BYTES) == 0;
}

/* ---- polling */

static bool list_sockets (skr_node_t *self)
{
    skr_poller_t *poller = &self->poller;
    if (!skr_poller_begin (poller, 4 + self->beacons_count + 2 * self->links.count)) {
        return false;
    }
    skr_poller_add_descriptor (poller, &self->wake, self->wake);
    if (self->router) {
        skr_poller_add (poller, self->zap);
        skr_poller_add (poller, self->router);
    }
    skr_poller_add_descriptor (poller, self->local, skr_local_descriptor (self->local));
    for (size_t i = 0; i < self->beacons_count; i++) {
        skr_poller_add_descriptor (poller, self->beacons[i],
                                   skr_beacon_descriptor (self->beacons[i]));
    }
    for (size_t i = 0; i < self->links.count; i++) {
        if (self->links.links[i]->sub) {
            skr_poller_add (poller, self->links.links[i]->sub);
        }
        if (self->links.links[i]->dealer) {
            skr_poller_add (poller, self->links.links[i]->dealer);
        }
    }
    return true;
}

static uint64_t deadline_ms (const skr_node_t *self)
{
    uint64_t deadline = skr_tell_deadline_ms (self);
    uint64_t due = skr_api_deadline_ms (self->api);
    deadline = due < deadline ? due : deadline;
    deadline = skr_carrying_busy (self->replica) ? 0 : deadline;
    due = skr_cutter_deadline_ms (self->cutter);
    deadline = due < deadline ? due : deadline;
    due = self->turn_ms + TURN_EVERY_MS;
    deadline = due < deadline ? due : deadline;
    due = skr_partial_busy (self->replica) ? self->links.claims.not_before_ms : UINT64_MAX;
    deadline = due < deadline ? due : deadline;
    for (size_t i = 0; i < self->links.count; i++) {
        due = skr_session_deadline_ms (self->links.links[i]->session);
        deadline = due < deadline ? due : deadline;
    }
    return deadline;
}

static void wait_for_work (skr_node_t *self)
{
    uint64_t now_ms = skr_node_now (self);
    uint64_t until_ms = deadline_ms (self);
    uint64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    wait_ms = wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS;
    if (self->poller.stale && !list_sockets (self)) {
        return;
    }
    skr_poller_wait (&self->poller, (int) wait_ms);
}

/* ---- a round */

static bool publish (void *context, skr_span_t frame)
{
    return skr_node_publish (context, frame);
}

/* design 5: nothing of a group is told before it is durable. */
static void commit (skr_node_t *self)
{
    if (!skr_replica_in_group (self->replica)) {
        return;
    }
    saker_err_t error = skr_replica_commit (self->replica);
    if (error != SAKER_OK) {
        note_failure (self, error);
        skr_replica_abort (self->replica);
    } else {
        note_success (self);
        self->committed_ms = skr_node_now (self);
        skr_live_publish (self->replica, publish, self, &self->stats.frames_out);
        self->beat_soon = true;
    }
    skr_api_committed (self->api, error);
    skr_node_answer_joins (self, error);
}

static size_t count_outsiders (const skr_roster_t *roster)
{
    size_t count = 0;
    for (size_t i = 0; i < skr_roster_count (roster); i++) {
        count += skr_roster_at (roster, i)->role == SKR_ROLE_NONE;
    }
    return count;
}

/* design 8: links are closed. Who lost its rights is connected still, and is not asked again who it
   is until it connects anew. */
static void part_with_outsiders (skr_node_t *self)
{
    size_t count = count_outsiders (skr_replica_roster (self->replica));
    const skr_guard_ports_t ports = {&self->sockets, self->port, self->pub_port};
    if (count > self->outsiders && self->router) {
        size_t parted = skr_guard_part (&self->guard, &ports);
        skr_log (&self->world, SKR_LOG_INFO, "a member lost its rights: %zu connections made anew",
                 parted);
    }
    self->outsiders = count;
}

/* design 8: keys are changed every 30 days, by an admin. */
static void rotate_keys (skr_node_t *self, uint64_t now_ms)
{
    if (now_ms < self->rotation_ms + ROTATION_LOOK_MS) {
        return;
    }
    self->rotation_ms = now_ms;
    if (skr_replica_rotation_due (self->replica)) {
        saker_err_t error = skr_replica_begin (self->replica);
        error = error == SAKER_OK ? skr_replica_rotate (self->replica) : error;
        skr_node_fail_group (self, error);
        if (error == SAKER_OK) {
            skr_log (&self->world, SKR_LOG_INFO, "the keys are old: new ones were made");
        }
    }
}

/* Admins take turns, so that mostly one of them does it. */
static void share_keys (skr_node_t *self, uint64_t now_ms)
{
    if (!self->share_ms || now_ms < self->share_ms) {
        return;
    }
    self->share_ms = 0;
    if (skr_replica_turn (self->replica) != SIZE_MAX) {
        saker_err_t error = skr_replica_begin (self->replica);
        skr_node_fail_group (self,
                             error == SAKER_OK ? skr_replica_share_keys (self->replica) : error);
    }
}

/* What this device has to say of its own writers. */
static void settle_own (skr_node_t *self, uint64_t now_ms)
{
    skr_neighbours_t neighbours;
    if (now_ms < self->settle_ms + SETTLE_EVERY_MS) {
        return;
    }
    self->settle_ms = now_ms;
    skr_neighbours_of (self, &neighbours);
    skr_node_fail_group (self,
                         skr_settle_forks (self->replica, &neighbours, skr_twin_shows (self)));
    skr_node_fail_group (self, skr_succeed (self->replica, &neighbours, skr_twin_shows (self)));
}

static void plan_sharing (skr_node_t *self)
{
    size_t turn = skr_replica_turn (self->replica);
    self->share_ms = turn == SIZE_MAX ? 0 : skr_node_now (self) + (turn + 1) * SHARE_TURN_MS;
}

static void follow_roster (skr_node_t *self)
{
    uint64_t version = skr_replica_roster_version (self->replica);
    if (version == self->roster_version) {
        return;
    }
    if (skr_links_follow (&self->links) != SAKER_OK) {
        skr_log (&self->world, SKR_LOG_ERROR, "%s", skr_error ());
        return; /* and again in the next round */
    }
    self->roster_version = version;
    self->poller.stale = true;
    self->turn_ms = 0;
    part_with_outsiders (self);
    plan_sharing (self);
    skr_node_publish_beacons (self); /* its key may be another */
}

static void look_at_connections (skr_node_t *self, uint64_t now_ms)
{
    const skr_guard_ports_t ports = {&self->sockets, self->port, self->pub_port};
    uint64_t before = self->guard.cut;
    skr_guard_look (&self->guard, &ports, now_ms);
    if (self->guard.cut != before) {
        skr_log (&self->world, SKR_LOG_WARNING,
                 "a connection sent more than can be kept of unfinished messages: shut down");
    }
}

static saker_err_t leave_and_fetch (skr_node_t *self)
{
    skr_neighbours_t neighbours;
    skr_neighbours_of (self, &neighbours);
    SKR_TRY (skr_carrying_turn (self->replica, &neighbours));
    return skr_fetching_turn (self->replica, &neighbours);
}

static void rest (skr_node_t *self, uint64_t now_ms)
{
    if (self->committed_ms && now_ms >= self->committed_ms + REST_MS) {
        self->committed_ms = 0;
        skr_replica_rest (self->replica);
    }
}

static void turn (skr_node_t *self)
{
    uint64_t now_ms = skr_node_now (self);
    bool links_due = now_ms >= self->turn_ms + TURN_EVERY_MS;
    if (links_due && skr_replica_settle (self->replica) != SAKER_OK) {
        note_failure (self, SAKER_EIO);
    }
    follow_roster (self);
    saker_err_t error = skr_replica_tidy (self->replica);
    error = error == SAKER_OK ? skr_sealed_turn (self->replica) : error;
    error = error == SAKER_OK ? leave_and_fetch (self) : error;
    if (error == SAKER_OK && now_ms >= self->links.claims.not_before_ms) {
        error = skr_partial_turn (self->replica);
    }
    if (error != SAKER_OK) {
        note_failure (self, error);
    }
    skr_twin_turn (self, now_ms);
    for (size_t i = 0; i < self->links.count; i++) {
        skr_link_t *link = self->links.links[i];
        if (links_due || link->news || link->restarted) {
            skr_link_turn (&self->links, link, now_ms);
        }
        error = skr_session_turn (link->session, now_ms);
        if (error != SAKER_OK) {
            skr_node_fail_group (self, error);
        }
    }
    if (links_due) {
        self->turn_ms = now_ms;
        rotate_keys (self, now_ms);
        share_keys (self, now_ms);
        skr_horizon_turn (self, now_ms);
        settle_own (self, now_ms);
        rest (self, now_ms);
        skr_node_write_book (self);
        look_at_connections (self, now_ms);
    }
}

/* design 5: the log shrinks between groups, in a group of its own; not while the store fails. */
static void cut (skr_node_t *self)
{
    if (!skr_store_settled (skr_replica_store (self->replica))
        || skr_node_now (self) < self->links.claims.not_before_ms) {
        return;
    }
    saker_err_t error = skr_cutter_turn (self->cutter);
    if (error != SAKER_OK) {
        note_failure (self, error);
    }
}

void skr_node_round (skr_node_t *self)
{
    wait_for_work (self);
    skr_node_take_work (self);
    skr_node_keep_addresses (self);
    commit (self);
    turn (self);
    commit (self); /* what the turn began: snapshots use groups of their own */
    cut (self);
    skr_tell (self, skr_node_now (self));
    skr_api_turn (self->api);
    skr_store_rest (skr_replica_store (self->replica));
}

void skr_node_enter (skr_node_t *self)
{
    commit (self);
    if (skr_store_journal_begin (skr_replica_store (self->replica)) != SAKER_OK) {
        skr_log (&self->world, SKR_LOG_WARNING, "there is no journal, so writes take longer: %s",
                 skr_error ());
    }
}

void skr_node_leave (skr_node_t *self)
{
    commit (self);
    if (skr_store_journal_end (skr_replica_store (self->replica)) != SAKER_OK) {
        skr_log (&self->world, SKR_LOG_WARNING, "%s", skr_error ());
    }
}

/* ---- life */

static void take_seeds (skr_node_t *self)
{
    for (size_t i = 0; i < self->config.seeds_count; i++) {
        self->seeds[i] = self->config.seeds[i];
    }
    _Static_assert(SKR_LINK_SEEDS_MAX >= SKR_CONFIG_SEEDS_MAX, "each seed has a mark");
    memset (self->links.seed_marks, 0, sizeof self->links.seed_marks);
    self->links.seeds = self->seeds;
    self->links.seeds_count = self->config.seeds_count;
}

/* The PUB sits on the next port, so that a firewall can be told; on any other if that is taken. */
static saker_err_t bind_pub (skr_node_t *self, const skr_curve_t *own)
{
    char host[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    char address[SKR_WIRE_ADDRESS_BYTES_MAX + 16];
    char bound[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    uint16_t asked = 0;
    saker_err_t error = SAKER_EBUSY;
    SKR_TRY (skr_address_split (self->config.listen, host, sizeof host, &asked));
    if (asked && self->port < 65535) {
        snprintf (address, sizeof address, "tcp://%s:%u", host, self->port + 1u);
        error = skr_socket_pub (&self->pub, &self->sockets, own, address);
    }
    if (error != SAKER_OK) {
        snprintf (address, sizeof address, "tcp://%s:0", host);
        SKR_TRY (skr_socket_pub (&self->pub, &self->sockets, own, address));
    }
    SKR_TRY (skr_socket_bound (self->pub, bound, sizeof bound));
    return skr_address_split (bound, host, sizeof host, &self->pub_port);
}

static saker_err_t bind_all (skr_node_t *self)
{
    const skr_device_t *device = skr_replica_device (self->replica);
    skr_curve_t own = {skr_device_transport_key (device), skr_device_transport_secret (device)};
    char host[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    /* before any other: CURVE fails open without it */
    SKR_TRY (skr_socket_zap (&self->zap, &self->sockets));
    SKR_TRY (skr_socket_router (&self->router, &self->sockets, &own, self->config.listen));
    SKR_TRY (skr_socket_bound (self->router, self->address, sizeof self->address));
    SKR_TRY (skr_address_split (self->address, host, sizeof host, &self->port));
    SKR_TRY (bind_pub (self, &own));
    return skr_book_fill (&self->book, self->address);
}

static saker_err_t open_sockets (skr_node_t *self, const char *store)
{
    SKR_TRY (skr_sockets_open (&self->sockets));
    if (strcmp (self->config.listen, SKR_LISTEN_NONE) != 0) {
        SKR_TRY (bind_all (self));
    } else {
        snprintf (self->address, sizeof self->address, SKR_LISTEN_NONE);
    }
    return skr_local_open (&self->local, store);
}

static void send_local (void *context, skr_span_t client, skr_span_t answer)
{
    skr_node_t *self = context;
    if (!skr_local_send (self->local, client, answer)) {
        self->stats.unsent++; /* the client is gone, or does not read */
    }
}

static saker_err_t start (skr_node_t *self, const char *store)
{
    skr_neighbours_t neighbours;
    SKR_TRY (skr_replica_open (&self->replica, store, &self->world));
    SKR_TRY (open_sockets (self, store));
    SKR_TRY (skr_answerer_new (&self->answerer, self->replica));
    skr_neighbours_of (self, &neighbours);
    SKR_TRY (skr_api_new (&self->api, self->replica, &neighbours, send_local, self, &self->world));
    SKR_TRY (skr_cutter_new (&self->cutter, self->replica, &neighbours, &self->world));
    skr_cutter_configure (self->cutter, self->config.history_ms, self->config.history_bytes,
                          self->config.folds);
    skr_api_give_cutter (self->api, self->cutter);
    self->links.replica = self->replica;
    self->links.world = &self->world;
    self->links.context = self;
    self->links.poller = &self->poller;
    self->links.address = skr_node_hear_address;
    self->links.greeted = skr_node_hear_greeting;
    self->started_wall_ms = self->world.wall_ms (self->world.context);
    self->links.sockets = &self->sockets;
    self->links.router = self->router;
    self->links.own.pub_port = self->pub_port;
    self->links.own.addresses = self->book.own_list;
    self->links.own.addresses_count = self->book.own_count;
    randombytes_buf (self->links.own.instance, sizeof self->links.own.instance);
    take_seeds (self);
    SKR_TRY (skr_links_follow (&self->links));
    self->roster_version = skr_replica_roster_version (self->replica);
    self->outsiders = count_outsiders (skr_replica_roster (self->replica));
    self->rotation_ms = self->horizon_looked_ms = skr_node_now (self);
    plan_sharing (self);
    skr_node_write_book (self);
    skr_node_start_beacons (self);
    self->poller.stale = true;
    return SAKER_OK;
}

saker_err_t skr_node_new (skr_node_t **self_p, const char *store, const saker_config_t *config,
                          const skr_world_t *world, int wake)
{
    skr_node_t *self = calloc (1, sizeof *self);
    if (!self) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    self->outer = world;
    self->world =
        (skr_world_t){self, outer_wall, outer_mono, filter_log, outer_home, outer_mono_us};
    self->config = *config;
    self->log_level = config->log_level;
    self->wake = wake;
    saker_err_t error = start (self, store);
    if (error != SAKER_OK) {
        skr_node_destroy (&self);
        return error;
    }
    *self_p = self;
    return SAKER_OK;
}

static void say_goodbye (skr_node_t *self)
{
    static const uint8_t quit = SKR_FRAME_QUIT;
    if (self->local) { /* it had begun */
        skr_node_publish (self, skr_span (&quit, 1));
        skr_caller_leave (self);
    }
}

void skr_node_destroy (skr_node_t **self_p)
{
    skr_node_t *self = *self_p;
    if (!self) {
        return;
    }
    say_goodbye (self);
    skr_links_free (&self->links);
    skr_api_destroy (&self->api);
    skr_cutter_destroy (&self->cutter);
    skr_answerer_destroy (&self->answerer);
    skr_node_stop_beacons (self);
    skr_node_answer_joins (self, SAKER_EIO);
    skr_local_close (&self->local);
    skr_socket_close (&self->router);
    skr_socket_close (&self->pub);
    skr_socket_close (&self->zap);
    skr_sockets_close (&self->sockets); /* the next to open the store makes these files anew */
    skr_replica_close (&self->replica);
    skr_guard_free (&self->guard);
    skr_poller_free (&self->poller);
    free (self->told);
    free (self);
    *self_p = NULL;
}

void skr_node_configure (skr_node_t *self, const saker_config_t *config)
{
    bool beacons =
        self->config.beacon != config->beacon || self->config.beacon_port != config->beacon_port
        || self->config.interfaces_count != config->interfaces_count
        || memcmp (self->config.interfaces, config->interfaces, sizeof config->interfaces) != 0;
    if (strcmp (self->config.listen, config->listen) != 0) {
        skr_log (&self->world, SKR_LOG_WARNING, "listen: counts from the next start on");
    }
    self->config = *config;
    self->log_level = config->log_level;
    take_seeds (self);
    skr_cutter_configure (self->cutter, config->history_ms, config->history_bytes, config->folds);
    if (beacons) {
        skr_node_start_beacons (self);
    }
    skr_log (&self->world, SKR_LOG_INFO, "configuration read anew");
}

const char *skr_node_address (const skr_node_t *self)
{
    return self->address;
}
