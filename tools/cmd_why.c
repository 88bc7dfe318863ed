/* why: why a document is not at a peer, and what to do. */

#include "amounts.h"
#include "commands.h"
#include "paint.h"
#include "place.h"
#include "say.h"
#include "strbuf.h"

#include <inttypes.h>
#include <string.h>

typedef struct answer_t {
    const saker_reason_t *reason;
    const char *place; /* COLL/DOC as it was given */
    strbuf_t sentence, next;
} answer_t;

static const struct {
    const char *name;
    saker_err_t status;
} causes[] = {
    [SAKER_WHY_NO_RIGHT] = {"no-right", SAKER_ERIGHT},
    [SAKER_WHY_FENCED] = {"fenced", SAKER_EWAIT},
    [SAKER_WHY_VOID] = {"void", SAKER_ERIGHT},
    [SAKER_WHY_DEPENDS] = {"depends", SAKER_EWAIT},
    [SAKER_WHY_QUEUED] = {"queued", SAKER_EWAIT},
    [SAKER_WHY_UNCONNECTED] = {"unconnected", SAKER_EUNREACHABLE},
    [SAKER_WHY_UNKNOWN] = {"unknown", SAKER_ENOTFOUND},
    [SAKER_WHY_DELETED] = {"deleted", SAKER_ENOTFOUND},
    [SAKER_WHY_RIVAL] = {"rival", SAKER_OK},
    [SAKER_WHY_THERE] = {"there", SAKER_OK},
    [SAKER_WHY_UNSUBSCRIBED] = {"unsubscribed", SAKER_ENOTCARRIED},
    [SAKER_WHY_NOT_CARRIED] = {"not-carried", SAKER_ENOTCARRIED},
    [SAKER_WHY_FETCHED] = {"fetched", SAKER_ENOTYET},
};

#define CAUSES (sizeof causes / sizeof *causes)

/* "1 change", "at least 100000 changes". */
static void say_changes (const saker_reason_t *reason, char text[64])
{
    snprintf (text, 64, "%s%" PRIu64 " change%s", reason->estimated ? "at least " : "",
              reason->changes, amount_plural (reason->changes));
}

/* What only that peer can tell. */
static void ask_there (answer_t *self, const char *peer)
{
    strbuf_format (&self->next, "what %s does with it only %s knows: run saker why %s there", peer,
                   peer, self->place);
}

static void say_no_right (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    bool none = strcmp (reason->role, "none") == 0;
    strbuf_format (&self->sentence,
                   none ? "%s has no right in this collection (role %s)"
                        : "%s may not read this collection (role %s): it keeps "
                          "and hands on what it cannot open",
                   reason->peer, reason->role);
    strbuf_format (&self->next, "an admin gives the right: saker role %s read", reason->peer);
}

static void say_unsubscribed (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    strbuf_format (&self->sentence,
                   "%s has not subscribed to this collection: it does not carry it",
                   reason->own ? "this peer" : reason->peer);
    strbuf_format (&self->next, "%s%s: saker subscribe %.*s fetches it",
                   reason->own ? "here" : "on ", reason->own ? "" : reason->peer,
                   (int) strcspn (self->place, "/"), self->place);
}

static void say_fenced (answer_t *self)
{
    const char *peer = self->reason->peer;
    strbuf_format (&self->sentence, "%s was fenced: nobody waits for it until it is back", peer);
    strbuf_format (&self->next,
                   "start sakerd on %s where it reaches a member; it returns by itself, and takes "
                   "what it missed",
                   peer);
}

static void say_void (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    strbuf_format (&self->sentence,
                   "change %" PRIu64 " of %s to it is void: it was written after %s lost the right "
                   "to, so no member takes it; it is kept aside here",
                   reason->author_seq, reason->author, reason->author);
    strbuf_format (&self->next,
                   "an admin gives the right again (saker role %s write); then write it again",
                   reason->author);
}

static void say_depends (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    if (reason->seq == 0) {
        strbuf_format (&self->sentence,
                       "change %" PRIu64 " of %s to it is here and waits for news of the roster",
                       reason->author_seq, reason->author);
        strbuf_text (&self->next, "it goes on once a member with that news is linked: saker links");
        return;
    }
    const char *other = *reason->other ? reason->other : "a writer that is not known yet";
    strbuf_format (&self->sentence,
                   "change %" PRIu64 " of %s to it is here and waits for change %" PRIu64
                   " of %s, which is not",
                   reason->author_seq, *reason->author ? reason->author : "somebody", reason->seq,
                   other);
    strbuf_text (&self->next, "it goes on once a member that has it is linked: saker links");
}

static void say_queued (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    char changes[64];
    say_changes (reason, changes);
    if (reason->own) {
        strbuf_format (&self->sentence,
                       "it is not here; %s is linked and has %s of this collection that %s not "
                       "here yet, and it may be among them",
                       reason->other, changes, reason->changes == 1 ? "is" : "are");
        strbuf_format (&self->next,
                       "wait a moment; if it stays so: saker ping %s, and saker doctor",
                       reason->other);
        return;
    }
    strbuf_format (&self->sentence, "%s takes %s before it has it, the one included", reason->peer,
                   changes);
    if (strcmp (reason->link, "up") != 0 && strcmp (reason->link, "slow") != 0) {
        strbuf_format (&self->sentence, ", by way of %s", reason->other);
    }
    ask_there (self, reason->peer);
}

static void say_seen (strbuf_t *text, const char *peer, int64_t seen_ms, const char *link)
{
    char age[AMOUNT_MAX];
    amount_age (seen_ms, age);
    if (seen_ms < 0) {
        strbuf_format (text, "%s was not heard since this daemon started", peer);
    } else if (strcmp (link, "left") == 0) {
        strbuf_format (text, "%s was stopped, and heard last %s ago", peer, age);
    } else {
        strbuf_format (text, "%s is not connected, and was heard last %s ago", peer, age);
    }
}

static void say_unconnected (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    const char *away = reason->own ? reason->other : reason->peer;
    char changes[64];
    say_changes (reason, changes);
    if (reason->own) {
        say_seen (&self->sentence, away, reason->other_seen_ms, reason->other_link);
        strbuf_format (&self->sentence,
                       "; it had %s of this collection that %s not here, and it may be among them",
                       changes, reason->changes == 1 ? "is" : "are");
    } else {
        say_seen (&self->sentence, away, reason->seen_ms, reason->link);
        strbuf_format (&self->sentence, "; %s wait%s for it here, the one included", changes,
                       reason->changes == 1 ? "s" : "");
    }
    strbuf_format (&self->next,
                   "see that sakerd runs on %s, then test the path: saker links names its address, "
                   "saker dial ADDR tries it",
                   away);
}

static void say_unknown (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    if (reason->own) {
        strbuf_text (&self->sentence, "it is not here, and no member that was heard has anything "
                                      "of this collection that is not here");
        strbuf_text (&self->next, "it was not written, or by a member that was not heard since: "
                                  "saker links shows who that is");
        return;
    }
    strbuf_text (&self->sentence, "this peer does not have it itself, so it cannot tell");
    strbuf_format (&self->next, "ask where it was written, or on %s: saker why %s", reason->peer,
                   self->place);
}

static void say_author (answer_t *self, const char *verb)
{
    const saker_reason_t *reason = self->reason;
    char time[PAINT_TIME_MAX];
    paint_time (reason->time_ms, time);
    if (*reason->author) {
        strbuf_format (&self->sentence, "%s %s at %s", verb, reason->author, time);
    }
}

static void say_more (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    char changes[64];
    if (reason->own && reason->changes > 0) {
        say_changes (reason, changes);
        strbuf_format (&self->next,
                       "%s has %s of this collection that %s not here yet and may touch it",
                       reason->other, changes, reason->changes == 1 ? "is" : "are");
    }
}

static void say_there (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    strbuf_format (&self->sentence, reason->own ? "it is here" : "%s has stored it as it is here",
                   reason->peer);
    say_author (self, ", written last by");
    say_more (self);
}

static void say_rival (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    strbuf_format (&self->sentence, reason->own ? "it is here" : "%s has stored it", reason->peer);
    strbuf_format (&self->sentence,
                   ", but in %" PRIu64 " place%s it has rivals, and another value may be shown",
                   reason->rivals, amount_plural (reason->rivals));
    strbuf_format (&self->next, "see and settle them: saker conflicts %s", self->place);
}

static void say_deleted (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    strbuf_format (&self->sentence, reason->own ? "it was deleted" : "%s knows that it was deleted",
                   reason->peer);
    say_author (self, ", by");
    strbuf_format (&self->next, "bring it back: saker restore-doc %s, or see saker log %s",
                   self->place, self->place);
}

static void say_not_carried (answer_t *self)
{
    const char *peer = self->reason->peer;
    size_t size = strcspn (self->place, "/");
    strbuf_format (&self->sentence,
                   "%s carries only a part of the collection, and this document is not of it",
                   peer);
    strbuf_format (&self->next,
                   "saker carry %.*s %sshows which; with more prefixes, or --whole, it "
                   "carries more",
                   (int) size, self->place, self->reason->own ? "" : "there ");
}

static void say_fetched (answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    size_t size = strcspn (self->place, "/");
    strbuf_format (&self->sentence, "not all of the collection is here yet: this peer fetches it");
    if (*reason->other) {
        strbuf_format (&self->sentence, ": it comes from %s", reason->other);
        strbuf_format (&self->next,
                       "wait a moment; saker subscribe and saker carry %.*s show how far it is",
                       (int) size, self->place);
        return;
    }
    strbuf_text (&self->sentence, ", but nobody that is linked is known to have it");
    strbuf_text (&self->next, "an admin's peer does: see that sakerd runs there, and is linked "
                              "(saker links)");
}

static void compose (answer_t *self)
{
    static void (*const says[]) (answer_t *) = {
        [SAKER_WHY_NO_RIGHT] = say_no_right,
        [SAKER_WHY_FENCED] = say_fenced,
        [SAKER_WHY_VOID] = say_void,
        [SAKER_WHY_DEPENDS] = say_depends,
        [SAKER_WHY_QUEUED] = say_queued,
        [SAKER_WHY_UNCONNECTED] = say_unconnected,
        [SAKER_WHY_UNKNOWN] = say_unknown,
        [SAKER_WHY_DELETED] = say_deleted,
        [SAKER_WHY_RIVAL] = say_rival,
        [SAKER_WHY_THERE] = say_there,
        [SAKER_WHY_UNSUBSCRIBED] = say_unsubscribed,
        [SAKER_WHY_NOT_CARRIED] = say_not_carried,
        [SAKER_WHY_FETCHED] = say_fetched,
    };
    says[self->reason->cause](self);
}

static saker_err_t say_json_answer (call_t *call, const answer_t *self)
{
    const saker_reason_t *reason = self->reason;
    char time[PAINT_TIME_MAX];
    paint_time (reason->time_ms, time);
    return say_json (
        call,
        json_pack ("{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:I,s:I,s:I,s:s,s:I,s:s?}", "cause",
                   causes[reason->cause].name, "sentence", self->sentence.data, "next",
                   self->next.data ? self->next.data : "", "peer", reason->peer, "role",
                   reason->role, "link", reason->link, "seen_ms", (json_int_t) reason->seen_ms,
                   "other", reason->other, "seq", (json_int_t) reason->seq, "changes",
                   (json_int_t) reason->changes, "rivals", (json_int_t) reason->rivals, "author",
                   reason->author, "author_seq", (json_int_t) reason->author_seq, "time",
                   reason->time_ms > 0 ? time : NULL));
}

static saker_err_t print_answer (call_t *call, answer_t *self)
{
    if (self->sentence.failed || self->next.failed || !self->sentence.data) {
        return call_memory (call);
    }
    if (call->json) {
        return say_json_answer (call, self);
    }
    saker_err_t status = causes[self->reason->cause].status;
    paint_text (stdout, status == SAKER_OK ? PAINT_GREEN : PAINT_YELLOW,
                causes[self->reason->cause].name);
    fputs (": ", stdout);
    paint_text (stdout, PAINT_NONE, self->sentence.data);
    putchar ('\n');
    if (self->next.data) {
        fputs ("next: ", stdout);
        paint_text (stdout, PAINT_NONE, self->next.data);
        putchar ('\n');
    }
    return SAKER_OK;
}

static saker_err_t answer_why (call_t *call, const saker_reason_t *reason)
{
    answer_t self = {.reason = reason, .place = call_word (call, 0)};
    compose (&self);
    saker_err_t error = print_answer (call, &self);
    saker_err_t status = causes[reason->cause].status;
    if (error == SAKER_OK && status != SAKER_OK) {
        error = call_fail (call, status, "%s is not at %s: %s", self.place, reason->peer,
                           causes[reason->cause].name);
    }
    strbuf_free (&self.sentence);
    strbuf_free (&self.next);
    return error;
}

static saker_err_t run_why (call_t *call)
{
    place_t place;
    saker_reason_t reason;
    saker_err_t error = place_parse (call, call_word (call, 0), NULL, &place);
    error = error == SAKER_OK ? call_open (call) : error;
    if (error == SAKER_OK) {
        error = call_library (call, saker_why (call->peer, place.collection, place.document,
                                               call_word (call, 1), &reason));
    }
    if (error != SAKER_OK) {
        return error;
    }
    if (reason.cause < SAKER_WHY_NO_RIGHT || (size_t) reason.cause >= CAUSES
        || !causes[reason.cause].name) {
        return call_fail (call, SAKER_EVERSION,
                          "the daemon gives a reason that this program does "
                          "not know: update it");
    }
    return answer_why (call, &reason);
}

const command_t cmd_why = {
    .name = "why",
    .run = run_why,
    .usage = "COLL/DOC [PEER]",
    .summary = "Say why a document, or the latest change to it, is not at PEER (default: here).",
    .details =
        "One cause is told, the first that holds, with the next step: no-right "
        "(the peer may not read the collection), unsubscribed (it does not carry it), "
        "not-carried (it carries only a part of it, see saker carry), fetched (not all of the "
        "collection is here yet), fenced, void (what was written "
        "after the right was lost does not stand), depends (it is here and waits "
        "for another change), queued (behind so many changes), unconnected, "
        "unknown (nobody who was heard has it), deleted, rival (it is there, "
        "beside others), there. Of another peer it is told from what that one "
        "reported; what only that peer knows, it says when asked there. Exit "
        "status 0 for rival and there, 5 for no-right and void, 21 for unsubscribed and "
        "not-carried, 3 "
        "for unknown and deleted, 13 for unconnected, 22 for fetched, 15 for the others.",
    .example = "saker why shots/sc010 bob",
    .words_min = 1,
    .words_max = 2,
};
