#include "doctor.h"

#include "reach.h"
#include "told.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEED_MS 2000
#define SEED_PATIENCE_MS 15000 /* for a link to come up where the seed answers */

typedef struct wishes_t {
    char listen[300], beacon[8];
    const char *seeds[64], *interfaces[16];
    size_t seeds_count, interfaces_count;
} wishes_t;

static int take_setting (const char *key, const char *value, void *argument)
{
    wishes_t *settings = argument;
    if (strcmp (key, "listen") == 0) {
        snprintf (settings->listen, sizeof settings->listen, "%s", value);
    } else if (strcmp (key, "beacon") == 0) {
        snprintf (settings->beacon, sizeof settings->beacon, "%s", value);
    } else if (strcmp (key, "seed") == 0 && settings->seeds_count < 64) {
        settings->seeds[settings->seeds_count++] = value;
    } else if (strcmp (key, "interface") == 0 && settings->interfaces_count < 16) {
        settings->interfaces[settings->interfaces_count++] = value;
    }
    return 0;
}

/* ---- interfaces */

static bool broadcasts (const struct ifaddrs *at)
{
    return at->ifa_addr && at->ifa_addr->sa_family == AF_INET && at->ifa_flags & IFF_UP
           && at->ifa_flags & IFF_RUNNING && at->ifa_flags & IFF_BROADCAST
           && !(at->ifa_flags & IFF_LOOPBACK);
}

static void look_at_named (doctor_t *self, const struct ifaddrs *list, const char *name)
{
    bool there = false, works = false;
    for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
        bool same = strcmp (at->ifa_name, name) == 0;
        there |= same;
        works |= same && broadcasts (at);
    }
    if (!works) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_ENOTFOUND, "interface.down",
                      "ip addr shows the interfaces; correct interface in saker.conf, or bring it "
                      "up, and send sakerd a SIGHUP",
                      there ? "the interface %s is down, has no IPv4 address, or does not broadcast"
                            : "there is no network interface %s",
                      name);
    }
}

static void look_at_interfaces (doctor_t *self, const wishes_t *settings)
{
    struct ifaddrs *list = NULL;
    size_t count = 0;
    char names[200] = "";
    if (getifaddrs (&list) != 0) {
        return;
    }
    for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
        size_t used = strlen (names);
        if (broadcasts (at)) {
            count++;
            snprintf (names + used, sizeof names - used, "%s%s", used ? ", " : "", at->ifa_name);
        }
    }
    for (size_t i = 0; i < settings->interfaces_count; i++) {
        look_at_named (self, list, settings->interfaces[i]);
    }
    freeifaddrs (list);
    if (count == 0) {
        bool seeds =
            settings->seeds_count > 0 || told_text (self->status, "/seeds/0/address", NULL);
        findings_add (&self->findings, seeds ? FINDING_NOTE : FINDING_WARNING, SAKER_EUNREACHABLE,
                      "interface.none",
                      "connect this machine to a network, or name a seed in "
                      "saker.conf: seed = tcp://ADDR:5677",
                      "no network interface is up that broadcasts: no beacon goes out or comes in");
    }
    findings_looked (&self->findings, "the network interfaces that broadcast: %s",
                     *names ? names : "none");
}

/* ---- ports */

static bool try_bind (const struct addrinfo *info)
{
    int yes = 1;
    int made = socket (info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) {
        return true;
    }
    setsockopt (made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); /* as zmq does */
    bool bound = bind (made, info->ai_addr, info->ai_addrlen) == 0 && listen (made, 1) == 0;
    int error = errno;
    close (made);
    errno = error;
    return bound;
}

static void look_at_port (doctor_t *self, const wishes_t *settings)
{
    reach_address_t address;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    if (strcmp (settings->listen, "none") == 0 || !reach_parse (settings->listen, &address)) {
        return;
    }
    bool any = strcmp (address.host, "*") == 0;
    int error = getaddrinfo (any ? "0.0.0.0" : address.host, address.port, &hints, &list);
    bool bound = !error && try_bind (list);
    int why = errno;
    if (!error) {
        freeaddrinfo (list);
    }
    if (!bound && !error && why == EADDRINUSE) {
        findings_add (&self->findings, FINDING_ERROR, SAKER_EBUSY, "port.taken",
                      findings_next ("see who has it: ss -ltnp sport = :%s; end that, or set "
                                     "another port in saker.conf: listen = tcp://*:PORT",
                                     address.port),
                      "another program has port %s, on which this peer is to listen", address.port);
    } else if (!bound) {
        findings_add (&self->findings, FINDING_ERROR, SAKER_EINPUT, "port.address",
                      "ip addr shows the addresses of this machine; correct listen in saker.conf",
                      "this machine cannot listen on %s (%s)", settings->listen,
                      error ? gai_strerror (error) : strerror (why));
    }
    findings_looked (&self->findings, "the port to listen on: %s", settings->listen);
}

/* ---- seeds */

static bool any_up (const doctor_t *self)
{
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        if (strcmp (told_state (json_array_get (self->links, i)), "up") == 0) {
            return true;
        }
    }
    return false;
}

/* Is a member linked at the address, which is in numbers? */
static bool is_linked_at (const doctor_t *self, const char *number)
{
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        const json_t *link = json_array_get (self->links, i);
        const char *address = told_text (link, "/address", "");
        if (strcmp (told_state (link), "up") == 0 && strncmp (address, "tcp://", 6) == 0
            && strcmp (address + 6, number) == 0) {
            return true;
        }
    }
    return false;
}

/* A seed is looked for only as long as a member is. */
static bool all_up (const doctor_t *self)
{
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        const char *state = told_state (json_array_get (self->links, i));
        if (strcmp (state, "silent") == 0 || strcmp (state, "left") == 0) {
            return false;
        }
    }
    return true;
}

/* Who calls itself does so from the address that it calls. */
static bool is_ourselves (const doctor_t *self, const reach_t *path)
{
    const char *port = strrchr (path->number, ':');
    const char *listen = strrchr (told_text (self->status, "/mesh/listen", ""), ':');
    size_t host = port ? (size_t) (port - path->number) : 0;
    return port && listen && strcmp (port, listen) == 0
           && strncmp (path->number, path->own, host + 1) == 0;
}

static const char *seed_words (reach_found_t found)
{
    switch (found) {
    case REACH_NAME:
        return "its name cannot be looked up";
    case REACH_REFUSED:
        return "the machine is there, but nothing listens on that port";
    case REACH_SILENT:
        return "nothing answers: the address is wrong, the machine is off, or a firewall is "
               "between";
    case REACH_NOWHERE:
        return "there is no way to it";
    case REACH_STRANGE:
        return "what answers there is no sakerd";
    case REACH_LISTENS:
        return "a saker listen answers there, no sakerd";
    case REACH_DAEMON:
        break;
    }
    return "a sakerd answers there";
}

/* `tried_ms`: since when the daemon has tried it in vain; -1: not. */
static void look_at_seed (doctor_t *self, const char *seed, int64_t tried_ms)
{
    reach_address_t address;
    reach_t path = {.socket = -1};
    if (!reach_parse (seed, &address)) {
        return;
    }
    reach_found_t found = reach_call (&path, &address, SEED_MS);
    reach_close (&path);
    finding_grade_t grade = any_up (self) ? FINDING_WARNING : FINDING_ERROR;
    if (found != REACH_DAEMON) {
        findings_add (&self->findings, grade, SAKER_EUNREACHABLE, "seed.silent",
                      findings_next ("see that sakerd runs there and on which port; test the path: "
                                     "saker dial %s; or correct seed in saker.conf",
                                     seed),
                      "the seed %s does not work: %s", seed, seed_words (found));
    } else if (tried_ms > SEED_PATIENCE_MS && !all_up (self) && !is_ourselves (self, &path)
               && !is_linked_at (self, path.number)) {
        findings_add (&self->findings, grade, SAKER_ERIGHT, "seed.stranger",
                      "see on that machine, with saker status, that it is of this mesh, and with "
                      "saker peers that it knows this device; or correct seed in saker.conf",
                      "a sakerd answers at the seed %s, but not to this device: it is of another "
                      "mesh, or has not heard yet that this device is a member",
                      seed);
    }
    findings_looked (&self->findings, "the seed %s", seed);
}

static void look_at_told_seeds (doctor_t *self)
{
    const json_t *seeds = json_object_get (self->status, "seeds");
    const char *key;
    json_t *seed;
    json_object_foreach ((json_t *) seeds, key, seed)
    {
        bool answered = told_int (seed, "/answered_ms", -1) >= 0;
        look_at_seed (self, told_text (seed, "/address", ""),
                      answered ? -1 : told_int (seed, "/tried_ms", -1));
    }
}

void doctor_net (doctor_t *self)
{
    wishes_t settings = {.seeds_count = 0};
    saker_config_each (self->config, take_setting, &settings);
    bool beacons = self->running ? told_int (self->status, "/beacon/wanted", 0) > 0
                                 : strcmp (settings.beacon, "yes") == 0;
    if (beacons) {
        look_at_interfaces (self, &settings);
    }
    if (self->running) {
        look_at_told_seeds (self);
        return;
    }
    if (self->store) {
        look_at_port (self, &settings);
    }
    for (size_t i = 0; i < settings.seeds_count; i++) {
        look_at_seed (self, settings.seeds[i], -1);
    }
}
