#include "gateway/metrics.h"
#include "gateway/prom.h"

#include <string.h>

static void add_about (strbuf_t *text, const standing_t *standing)
{
    prom_family (text, "saker_mesh_info", "gauge", "The mesh and this peer.");
    prom_sample (text, "saker_mesh_info", 1, "mesh", standing->mesh, "mesh_id", standing->mesh_id,
                 "device", standing->device, "device_id", standing->device_id, "role",
                 standing->role);
    prom_one (text, "saker_twin", "gauge", "Another process runs as this device: 1 or 0.",
              standing->twin);
}

static void add_numbers (strbuf_t *text, const standing_t *standing)
{
    const char *last = "";
    for (size_t i = 0; standing_numbers[i].pointer; i++) {
        const standing_number_t *number = &standing_numbers[i];
        double value = (double) standing->numbers[i] * number->unit;
        if (standing->numbers[i] < 0) {
            continue;
        }
        if (strcmp (number->name, last) != 0) {
            prom_family (text, number->name, number->type, number->help);
            last = number->name;
        }
        prom_sample (text, number->name, value, number->label, number->value);
    }
}

/* ---- peers */

static const char *const states[] = {"up", "slow", "silent", "left", "fenced"};
#define STATES (sizeof states / sizeof *states)

static bool is_self (const standing_peer_t *peer)
{
    return strcmp (peer->link, "self") == 0;
}

static void add_states (strbuf_t *text, const standing_t *standing)
{
    prom_family (text, "saker_peers", "gauge", "Other members by the state of the link to them.");
    for (size_t i = 0; i < STATES; i++) {
        size_t count = 0;
        for (size_t k = 0; k < standing->peers_count; k++) {
            count += strcmp (standing->peers[k].link, states[i]) == 0;
        }
        prom_sample (text, "saker_peers", (double) count, "state", states[i]);
    }
    prom_one (text, "saker_peers_left_out", "gauge",
              "Members that are not told one by one because there are too many.",
              (double) standing->peers_left_out);
}

static void add_links (strbuf_t *text, const standing_t *standing)
{
    prom_family (text, "saker_peer_link", "gauge",
                 "The state of the link to a member: 1 for the one that it has, 0 for others.");
    for (size_t k = 0; k < standing->peers_count; k++) {
        const standing_peer_t *peer = &standing->peers[k];
        for (size_t i = 0; i < STATES && !is_self (peer); i++) {
            prom_sample (text, "saker_peer_link", strcmp (peer->link, states[i]) == 0, "peer",
                         peer->name, "id", peer->id, "state", states[i]);
        }
    }
}

/* One number of each other member, where it is known. */
static void add_each (strbuf_t *text, const standing_t *standing, size_t offset, double unit,
                      const char *name, const char *help)
{
    prom_family (text, name, "gauge", help);
    for (size_t k = 0; k < standing->peers_count; k++) {
        const standing_peer_t *peer = &standing->peers[k];
        int64_t value;
        memcpy (&value, (const char *) peer + offset, sizeof value);
        if (!is_self (peer) && value >= 0) {
            prom_sample (text, name, (double) value * unit, "peer", peer->name, "id", peer->id);
        }
    }
}

static void add_peers (strbuf_t *text, const standing_t *standing)
{
    add_states (text, standing);
    add_links (text, standing);
    add_each (text, standing, offsetof (standing_peer_t, seen_ms), 1e-3,
              "saker_peer_heard_ago_seconds",
              "Since the last beat of a member; missing: none came since the start.");
    add_each (text, standing, offsetof (standing_peer_t, behind), 1, "saker_peer_behind_changes",
              "Changes that are here and that the member has not reported as stored.");
    add_each (text, standing, offsetof (standing_peer_t, lag_ms), 1e-3, "saker_peer_behind_seconds",
              "Age of the oldest change that the member has not reported as stored.");
    add_each (text, standing, offsetof (standing_peer_t, rtt_us), 1e-6,
              "saker_peer_round_trip_seconds", "Round trip of the link to a member.");
}

/* ---- collections */

static void add_collection_numbers (strbuf_t *text, const standing_t *standing, size_t offset,
                                    const char *name, const char *help)
{
    prom_family (text, name, "gauge", help);
    for (size_t i = 0; i < standing->collections_count; i++) {
        const standing_collection_t *collection = &standing->collections[i];
        int64_t value;
        memcpy (&value, (const char *) collection + offset, sizeof value);
        prom_sample (text, name, (double) value, "collection", collection->name);
    }
}

static void add_collections (strbuf_t *text, const standing_t *standing)
{
    add_collection_numbers (text, standing, offsetof (standing_collection_t, documents),
                            "saker_collection_documents", "Documents of a collection.");
    add_collection_numbers (text, standing, offsetof (standing_collection_t, changes),
                            "saker_collection_changes", "Changes of a collection so far.");
    add_collection_numbers (text, standing, offsetof (standing_collection_t, conflicts),
                            "saker_collection_conflicts",
                            "Places of a collection with rival values.");
    add_collection_numbers (text, standing, offsetof (standing_collection_t, log_bytes),
                            "saker_collection_log_bytes",
                            "Size of a collection's history that is kept.");
    prom_one (text, "saker_collections_left_out", "gauge",
              "Collections that are not told one by one because there are too many.",
              (double) standing->collections_left_out);
}

void metrics_mesh (strbuf_t *text, const standing_t *standing)
{
    add_about (text, standing);
    add_peers (text, standing);
    add_numbers (text, standing);
    add_collections (text, standing);
}
