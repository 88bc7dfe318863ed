/* Where members are, as far as it is known here, and how it is told: the addresses that answered,
   kept for the next start; what HELLO's answer tells of others; beacons. */

#include "mesh/node_internal.h"

#include <string.h>

/* ---- what is heard and kept */

/* A member's address became known, by gossip. */
void skr_node_hear_address (void *context, const uint8_t device[32], const char *address)
{
    skr_node_t *self = context;
    if (skr_node_is_own (self, device)) {
        skr_twin_hint (self, address);
        return;
    }
    skr_link_t *link = skr_links_find (&self->links, device);
    if (link && !link->calls && !skr_session_greeted (link->session)
        && skr_address_numeric (address)) {
        skr_link_learn (link, address);
    }
}

/* Who is at the other end of a link answered. */
void skr_node_hear_greeting (void *context, skr_link_t *link,
                             const uint8_t instance[SKR_WIRE_INSTANCE_BYTES],
                             const skr_id_t *writer)
{
    skr_twin_greeted (context, link, instance, writer);
}

/* The addresses of members that answered: found again after a restart. */
static void keep_address (skr_node_t *self, skr_link_t *link)
{
    skr_store_t *store = skr_replica_store (self->replica);
    skr_span_t key = skr_span (link->device, sizeof link->device);
    skr_span_t address = skr_span_text (link->address);
    skr_span_t kept;
    if (skr_store_get (store, SKR_COMMITTED, SKR_ADDRESSES, key, &kept) == SAKER_OK
        && skr_span_equal (kept, address)) {
        return;
    }
    saker_err_t error = skr_replica_begin (self->replica);
    error = error == SAKER_OK ? skr_store_put (store, SKR_ADDRESSES, key, address) : error;
    skr_node_fail_group (self, error);
}

/* That of a member which does not listen any more. */
static void forget_address (skr_node_t *self, const skr_link_t *link)
{
    skr_store_t *store = skr_replica_store (self->replica);
    skr_span_t key = skr_span (link->device, sizeof link->device);
    skr_span_t kept;
    if (skr_store_get (store, SKR_COMMITTED, SKR_ADDRESSES, key, &kept) == SAKER_OK) {
        saker_err_t error = skr_replica_begin (self->replica);
        error = error == SAKER_OK ? skr_store_remove (store, SKR_ADDRESSES, key) : error;
        skr_node_fail_group (self, error);
    }
}

void skr_node_keep_addresses (skr_node_t *self)
{
    for (size_t i = 0; i < self->links.count; i++) {
        skr_link_t *link = self->links.links[i];
        if (link->calls && !link->forgotten) {
            link->forgotten = true;
            forget_address (self, link);
        }
        if (link->greeted_ms && !link->kept && link->address[0]) {
            link->kept = true;
            keep_address (self, link);
        }
    }
}

/* ---- what HELLO's answer tells */

static bool is_doubled (const skr_node_t *self, const skr_link_t *link)
{
    return link->doubled_ms && skr_node_now (self) - link->doubled_ms < SKR_TWIN_TOLD_MS;
}

static void put_address (skr_buf_t *pairs, const uint8_t device[32], const char *address)
{
    skr_cbor_put_array (pairs, 2);
    skr_cbor_put_bytes (pairs, device, 32);
    skr_cbor_put_text (pairs, address, strlen (address));
}

/* Who was restarted, or runs twice: where else it said it is, so that two with one key find each
   other; and that there are two, where one of them listens nowhere. */
static size_t write_twins (const skr_node_t *self, skr_buf_t *pairs, size_t count)
{
    size_t before = count;
    for (size_t i = 0; i < self->links.count; i++) {
        const skr_link_t *link = self->links.links[i];
        if (count < SKR_WIRE_ADDRESSES_MAX && is_doubled (self, link)) {
            put_address (pairs, link->device, SKR_WIRE_NOWHERE);
            count++;
        }
        for (size_t k = 0; link->called_count > 1 && k < 2 && k < link->addresses_count; k++) {
            const char *address = link->addresses[k];
            if (count < SKR_WIRE_ADDRESSES_MAX && strcmp (address, link->address) != 0) {
                put_address (pairs, link->device, address);
                count++;
            }
        }
    }
    return count - before;
}

/* HELLO's answer tells where members are: ourselves and whom we reach. */
void skr_node_write_book (skr_node_t *self)
{
    skr_buf_t pairs = {0};
    skr_buf_t book = {0};
    size_t count = 0;
    const uint8_t *own = skr_node_device (self);
    for (size_t i = 0; i < self->book.own_count && count < SKR_WIRE_ADDRESSES_MAX; i++, count++) {
        put_address (&pairs, own, self->book.own[i]);
    }
    for (size_t i = 0; i < self->links.count && count < SKR_WIRE_ADDRESSES_MAX; i++) {
        const skr_link_t *link = self->links.links[i];
        const char *address = link->calls        ? ""
                              : link->greeted_ms ? link->address
                                                 : link->addresses[0];
        if (*address) {
            put_address (&pairs, link->device, address);
            count++;
        }
    }
    count += write_twins (self, &pairs, count);
    skr_cbor_put_array (&book, count);
    skr_buf_append_span (&book, skr_span_of (&pairs));
    if (book.failed
        || skr_answerer_set (self->answerer, self->pub_port, self->links.own.instance,
                             skr_span_of (&book))
               != SAKER_OK) {
        skr_log (&self->world, SKR_LOG_WARNING, "out of memory");
    }
    skr_buf_free (&pairs);
    skr_buf_free (&book);
}

/* ---- beacons */

void skr_node_publish_beacons (skr_node_t *self)
{
    uint8_t bytes[SKR_BEACON_BYTES];
    self->beacon_keyed =
        skr_keyring_beacon (skr_replica_keyring (self->replica), self->beacon_key) == SAKER_OK;
    if (!self->beacon_keyed || !self->port) {
        return; /* who does not listen has nothing to tell: it only hears others */
    }
    skr_beacon_make (bytes, self->port, self->links.own.instance, self->beacon_key,
                     skr_node_device (self));
    for (size_t i = 0; i < self->beacons_count; i++) {
        skr_beacon_publish (self->beacons[i], skr_span (bytes, sizeof bytes));
        skr_poller_look (&self->poller, self->beacons[i]);
    }
}

static void start_beacon (skr_node_t *self, const char *interface)
{
    skr_beacon_t *beacon = NULL;
    saker_err_t error =
        self->router ? skr_beacon_new (&beacon, interface, self->config.beacon_port, &self->world)
                     : skr_beacon_listen (&beacon, self->config.beacon_port, &self->world);
    if (error == SAKER_OK) {
        self->beacons[self->beacons_count++] = beacon;
    } else {
        skr_log (&self->world, SKR_LOG_WARNING, "beacon: %s; going on with seeds", skr_error ());
    }
}

void skr_node_stop_beacons (skr_node_t *self)
{
    while (self->beacons_count) {
        skr_beacon_destroy (&self->beacons[--self->beacons_count]);
    }
    self->poller.stale = true;
}

void skr_node_start_beacons (skr_node_t *self)
{
    skr_node_stop_beacons (self);
    if (!self->config.beacon) {
        return;
    }
    if (!self->config.interfaces_count || !self->router) {
        start_beacon (self, "");
    }
    for (size_t i = 0; i < self->config.interfaces_count && self->router; i++) {
        start_beacon (self, self->config.interfaces[i]);
    }
    skr_node_publish_beacons (self);
}
