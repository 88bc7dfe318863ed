/* wait: until others have what was written here. */

#include "commands.h"
#include "progress.h"
#include "say.h"

#include <string.h>
#include <unistd.h>

#define WAIT_MS 10000
#define ROUND_MS 200

typedef struct behind_t {
    const char *names; /* of --on; NULL: all */
    uint64_t most;     /* changes that the last of them is behind */
} behind_t;

static bool is_named (const char *names, const saker_peer_t *peer)
{
    while (names) {
        size_t size = strcspn (names, ",");
        if ((strlen (peer->name) == size && strncmp (peer->name, names, size) == 0)
            || (strlen (peer->id) == size && strncmp (peer->id, names, size) == 0)) {
            return true;
        }
        names = names[size] ? names + size + 1 : NULL;
    }
    return false;
}

static int take_behind (const saker_peer_t *peer, void *argument)
{
    behind_t *behind = argument;
    if (peer->behind > 0 && strcmp (peer->link, "revoked") != 0
        && (!behind->names || is_named (behind->names, peer))
        && (uint64_t) peer->behind > behind->most) {
        behind->most = (uint64_t) peer->behind;
    }
    return 0;
}

/* In rounds, so that the bar moves. */
static saker_err_t wait_shown (call_t *call, const char *names, int64_t timeout_ms)
{
    behind_t behind = {.names = names};
    progress_t progress;
    saker_err_t error = saker_peers (call->peer, take_behind, &behind);
    uint64_t first = behind.most, deadline_ms = progress_now_ms () + (uint64_t) timeout_ms;
    progress_begin (&progress, "waiting", first);
    do {
        uint64_t now_ms = progress_now_ms ();
        uint64_t left_ms = now_ms < deadline_ms ? deadline_ms - now_ms : 0;
        behind.most = 0;
        error = saker_peers (call->peer, take_behind, &behind);
        if (error == SAKER_OK) {
            progress_step (&progress, first > behind.most ? first - behind.most : 0);
            error = saker_wait (call->peer, names, (int) (left_ms < ROUND_MS ? left_ms : ROUND_MS));
        }
    } while (error == SAKER_ETIMEOUT && progress_now_ms () < deadline_ms);
    call_library (call, error);
    progress_end (&progress);
    return error;
}

static saker_err_t wait_seen (call_t *call, const char *token, int timeout_ms)
{
    saker_err_t error = call_library (call, saker_wait_seen (call->peer, token, timeout_ms));
    return error == SAKER_OK && call->json ? say_json (call, json_pack ("{s:b}", "seen", 1))
                                           : error;
}

static saker_err_t run_wait (call_t *call)
{
    const char *names = call_option (call, "on");
    int64_t timeout_ms = 0;
    const char *seen = call_option (call, "seen");
    if (names && call_option (call, "all")) {
        return call_fail (call, SAKER_EUSAGE, "wait: give --on or --all, not both");
    }
    if (seen && (names || call_option (call, "all"))) {
        return call_fail (call, SAKER_EUSAGE,
                          "wait: --seen waits for this peer; without --on and "
                          "--all");
    }
    saker_err_t error = call_duration (call, "timeout", WAIT_MS, &timeout_ms);
    timeout_ms = timeout_ms > INT32_MAX ? INT32_MAX : timeout_ms;
    if (error == SAKER_OK) {
        error = call_open (call);
    }
    if (error == SAKER_OK && seen) {
        return wait_seen (call, seen, (int) timeout_ms);
    }
    if (error == SAKER_OK) {
        error = isatty (STDERR_FILENO)
                    ? wait_shown (call, names, timeout_ms)
                    : call_library (call, saker_wait (call->peer, names, (int) timeout_ms));
    }
    if (error == SAKER_OK && call->json) {
        error = say_json (call, json_pack ("{s:b,s:s}", "stored", 1, "on", names ? names : "all"));
    }
    return error;
}

static const option_t wait_options[] = {
    {"on", "PEER,...", "the peers to wait for, by name or id"},
    {"all", NULL, "wait for all members (default)"},
    {"stored", NULL, "wait until it is on their disks (so always: no peer reports less)"},
    {"seen", "TOKEN", "wait instead until this peer has what was seen at another (saker seen)"},
    {"timeout", "TIME", "give up after this time, with exit status 12 (default: 10s)"},
    {NULL, NULL, NULL},
};

const command_t cmd_wait = {
    .name = "wait",
    .run = run_wait,
    .usage = "[--on PEER,... | --all | --seen TOKEN] [--stored] [--timeout TIME]",
    .summary = "Wait until everything written here so far is applied and stored at other peers.",
    .details = "A peer reports only what it has stored, so applied and stored are the "
               "same here.",
    .options = wait_options,
    .example = "saker wait --on bob,carol --timeout 30s",
    .words_min = 0,
    .words_max = 0,
};
