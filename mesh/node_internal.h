/* What the parts of a node share: node.c (the loop), arriving.c (what comes), places.c (where
   members are), tell.c (beats), caller.c (who does not listen), neighbours.c (what the local API
   asks of the mesh). */

#ifndef SKR_MESH_NODE_INTERNAL_H_INCLUDED
#define SKR_MESH_NODE_INTERNAL_H_INCLUDED

#include "mesh/answer.h"
#include "mesh/beacon.h"
#include "mesh/book.h"
#include "mesh/guard.h"
#include "mesh/link.h"
#include "mesh/live.h"
#include "mesh/local.h"
#include "mesh/node.h"
#include "mesh/poller.h"
#include "mesh/twin.h"
#include "mesh/zap.h"
#include "peer/api.h"
#include "peer/cutter.h"
#include "peer/incarnation.h"

#define SKR_NODE_JOINS_MAX 16

/* A JOIN whose group is not committed yet. */
typedef struct skr_join_held_t {
    skr_buf_t routing;
    skr_buf_t request;
} skr_join_held_t;

typedef struct skr_node_stats_t {
    uint64_t frames_out, frames_in;
    uint64_t frame_bytes, request_bytes, answer_bytes; /* that came, of message bodies */
    uint64_t beats_out, beats_in, beats_repeated, beats_passed;
    uint64_t bad_frames;     /* on a SUB: not well-formed, forged */
    uint64_t strange_frames; /* on the ROUTER: of nobody who may ask, or of several parts */
    uint64_t unsent;         /* answers that could not be sent */
    uint64_t failed_groups;
} skr_node_stats_t;

struct skr_node_t {
    skr_world_t world; /* with the log level */
    const skr_world_t *outer;
    skr_level_t log_level;
    skr_level_t watched_level; /* that a program wants, until then */
    uint64_t watched_until_ms; /* mono; 0: none does */
    saker_config_t config;
    const char *seeds[SKR_CONFIG_SEEDS_MAX];
    int wake;

    skr_replica_t *replica;
    skr_answerer_t *answerer;
    skr_api_t *api;
    skr_cutter_t *cutter;
    skr_links_t links;
    uint64_t roster_version;    /* that the links follow */
    size_t outsiders;           /* devices in the roster without a role */
    uint64_t rotation_ms;       /* mono: when it was last asked whether keys are to be changed */
    uint64_t committed_ms;      /* mono: the last group; 0: rested since */
    uint64_t settle_ms;         /* mono: when settle_own looked last */
    uint64_t horizon_looked_ms; /* mono: see horizon.h */
    uint64_t share_ms; /* mono: when it will be asked whether somebody lacks a key; 0: not */
    skr_book_t book;
    char address[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    uint16_t port, pub_port;

    skr_sockets_t sockets;
    void *zap, *router, *pub; /* NULL: it does not listen */
    skr_local_socket_t *local;
    skr_beacon_t *beacons[SKR_BEACON_INTERFACES_MAX];
    size_t beacons_count;
    uint8_t beacon_key[32];
    bool beacon_keyed;

    skr_poller_t poller;

    skr_join_held_t joins[SKR_NODE_JOINS_MAX];
    size_t joins_count;
    skr_link_t *taking; /* whose socket is being drained */

    /* beats */
    uint64_t beat_number;
    uint64_t beat_ms;   /* mono, of the last */
    bool beat_soon;     /* something changed since */
    uint64_t called_ms; /* mono: a beat is due for who called; 0: none is */
    uint64_t *told;     /* per collection index: changes at the last beat */
    size_t told_count;
    size_t tell_next; /* collection to tell in turn */

    uint64_t turn_ms;   /* of the links' last turn */
    saker_err_t ailing; /* why the last group failed; SAKER_OK: it did not */
    uint64_t pause_ms;  /* for which nothing was pulled after that */
    skr_guard_t guard;
    skr_zap_stats_t zap_stats;
    skr_beacon_stats_t beacon_stats;
    skr_node_stats_t stats;
    skr_twin_t twin;
    uint64_t started_wall_ms;
};

uint64_t skr_node_now (const skr_node_t *self);

/* tell.c: sends a beat when one is due; takes a beat that came on a link's SUB. */
void skr_tell (skr_node_t *self, uint64_t mono_ms);
uint64_t skr_tell_deadline_ms (const skr_node_t *self);
/* Somebody said HELLO, and is about to subscribe: it is not to wait for what we have. */
void skr_tell_called (skr_node_t *self, uint64_t mono_ms);
void skr_tell_take (skr_node_t *self, skr_link_t *from, skr_span_t beat, uint64_t mono_ms);

/* caller.c: of members that do not listen, and of a peer that does not. */
/* Sends a frame to those who hear us. False: nobody does. */
bool skr_node_publish (skr_node_t *self, skr_span_t frame);
/* Is a message on the ROUTER what only a member that does not listen says? Then it is taken here.
 */
bool skr_caller_take (skr_node_t *self, const skr_asker_t *asker, skr_span_t routing,
                      skr_span_t body);
/* Who was called by us asks us back, over the link that is drained now. */
void skr_caller_asked (skr_node_t *self, skr_link_t *link, skr_span_t request);
/* Those who were called hear that this peer stops. */
void skr_caller_leave (skr_node_t *self);

/* arriving.c: takes what waits on all sockets, up to a bound. Then, what a member publishes,
   `frame` with its first byte; a HELLO that came, by this routing id, or empty; and the answer to
   those who joined, once their group was committed, or failed. */
void skr_node_take_work (skr_node_t *self);
void skr_node_frame (skr_node_t *self, skr_link_t *link, skr_span_t frame);
void skr_node_called (skr_node_t *self, const skr_member_t *member, skr_span_t routing,
                      const skr_said_t *said);
void skr_node_answer_joins (skr_node_t *self, saker_err_t error);

/* places.c: an address of a member became known by gossip; who is at the other end of a link
   answered. The addresses that answered are kept in the store, in a group; and told, with the own
   ones, to who says HELLO. */
void skr_node_hear_address (void *context, const uint8_t device[32], const char *address);
void skr_node_hear_greeting (void *context, skr_link_t *link,
                             const uint8_t instance[SKR_WIRE_INSTANCE_BYTES],
                             const skr_id_t *writer);
void skr_node_keep_addresses (skr_node_t *self);
void skr_node_write_book (skr_node_t *self);
/* Begins as the configuration says. Published anew when their key may be another. */
void skr_node_start_beacons (skr_node_t *self);
void skr_node_stop_beacons (skr_node_t *self);
void skr_node_publish_beacons (skr_node_t *self);

/* node.c: the key of our own device; and is it this one? */
const uint8_t *skr_node_device (const skr_node_t *self);
bool skr_node_is_own (const skr_node_t *self, const uint8_t device[SKR_DEVICE_KEY_BYTES]);
/* node.c: after a failure in the middle of a group; SAKER_OK: does nothing. */
void skr_node_fail_group (skr_node_t *self, saker_err_t error);

/* twin.c. Somebody says that this device is there. */
void skr_twin_hint (skr_node_t *self, const char *address);
/* Who is at the other end of a link answered; calls from our own device; a beat of our own device
   came: false when it is ours. */
void skr_twin_greeted (skr_node_t *self, skr_link_t *link, const uint8_t *instance,
                       const skr_id_t *writer);
void skr_twin_called (skr_node_t *self, const uint8_t *instance, const char *address);
bool skr_twin_beat (skr_node_t *self, const skr_beat_t *beat);
void skr_twin_turn (skr_node_t *self, uint64_t mono_ms);
/* Is there another process of this device, as far as is known? */
bool skr_twin_shows (const skr_node_t *self);
void skr_twin_sentence (const skr_node_t *self, char sentence[SKR_TWIN_SENTENCE_MAX]);

/* neighbours.c */
void skr_neighbours_of (skr_node_t *self, skr_neighbours_t *neighbours);

#endif
