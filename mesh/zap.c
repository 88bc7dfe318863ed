#include "mesh/zap.h"

#include "mesh/sockets.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define FRAMES 7 /* version, request, domain, address, identity, mechanism, key */
#define FRAME_BYTES_MAX 256

typedef struct frame_t {
    char data[FRAME_BYTES_MAX];
    size_t size;
} frame_t;

/* Takes a whole message; frames beyond those expected make it a bad one. */
static size_t receive (void *socket, frame_t frames[FRAMES])
{
    size_t count = 0;
    int more = 1;
    size_t size = sizeof more;
    while (more) {
        char spare[FRAME_BYTES_MAX];
        char *room = count < FRAMES ? frames[count].data : spare;
        int got = zmq_recv (socket, room, FRAME_BYTES_MAX, count ? 0 : ZMQ_DONTWAIT);
        if (got < 0) {
            return 0;
        }
        if (count < FRAMES) {
            frames[count].size = (size_t) got < FRAME_BYTES_MAX ? (size_t) got : 0;
        }
        count++;
        zmq_getsockopt (socket, ZMQ_RCVMORE, &more, &size);
    }
    return count;
}

static bool is (const frame_t *frame, const char *text)
{
    return frame->size == strlen (text) && memcmp (frame->data, text, frame->size) == 0;
}

static void reply (void *socket, const frame_t *request, const char *code, const char *text,
                   const char *user_id)
{
    zmq_send (socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send (socket, request->data, request->size, ZMQ_SNDMORE);
    zmq_send (socket, code, 3, ZMQ_SNDMORE);
    zmq_send (socket, text, strlen (text), ZMQ_SNDMORE);
    zmq_send (socket, user_id, strlen (user_id), ZMQ_SNDMORE);
    zmq_send (socket, "", 0, 0);
}

/* Fills the User-Id of a key that may connect. */
static bool admit (skr_replica_t *replica, const uint8_t key[32], char user_id[80],
                   skr_zap_stats_t *stats)
{
    const skr_member_t *member = skr_roster_by_transport (skr_replica_roster (replica), key);
    skr_invitation_t invitation;
    char text[65];
    if (member) {
        skr_hex (text, member->device, sizeof member->device);
        snprintf (user_id, 80, "m:%s", text);
        stats->members++;
        return true;
    }
    if (skr_invitation_get (skr_replica_store (replica), SKR_COMMITTED, key, &invitation)
        == SAKER_OK) {
        skr_hex (text, key, 32);
        snprintf (user_id, 80, "t:%s", text);
        stats->tickets++;
        return true;
    }
    return false;
}

bool skr_zap_serve (void *socket, skr_replica_t *replica, skr_zap_stats_t *stats)
{
    frame_t frames[FRAMES];
    char user_id[80];
    size_t count = receive (socket, frames);
    if (!count) {
        return false;
    }
    bool curve = count == FRAMES && is (&frames[0], "1.0") && is (&frames[2], SKR_ZAP_DOMAIN)
                 && is (&frames[5], "CURVE") && frames[6].size == 32;
    if (count < 2) {
        frames[1].size = 0;
    }
    if (curve && admit (replica, (const uint8_t *) frames[6].data, user_id, stats)) {
        reply (socket, &frames[1], "200", "OK", user_id);
    } else {
        stats->refused++;
        reply (socket, &frames[1], "400", "not a member", "");
    }
    return true;
}

bool skr_zap_asker (const char *user_id, const skr_roster_t *roster, skr_asker_t *asker,
                    uint8_t ticket[32])
{
    uint8_t key[32];
    size_t size = 0;
    memset (asker, 0, sizeof *asker);
    if (!user_id || strlen (user_id) != 2 + 64 || user_id[1] != ':'
        || sodium_hex2bin (key, sizeof key, user_id + 2, 64, NULL, &size, NULL) != 0
        || size != 32) {
        return false;
    }
    if (user_id[0] == 'm') {
        asker->member = skr_roster_by_device (roster, key);
        if (asker->member && asker->member->role == SKR_ROLE_NONE) {
            asker->member = NULL; /* it was one */
        }
    } else if (user_id[0] == 't') {
        memcpy (ticket, key, sizeof key);
        asker->ticket = ticket;
    }
    return asker->member || asker->ticket;
}
