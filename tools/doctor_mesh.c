#include "doctor.h"

#include "amounts.h"
#include "told.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SKEW_WARNING_MS 2000
#define SKEW_ERROR_MS 60000 /* beyond, changes are flagged (design 3) */
#define SETTLED_MS 15000    /* after a start, links come up */
#define AGAIN_MS 1500       /* between two looks at what waits */
#define VERIFY_MS 3000
#define TIMEOUTS_MIN 5
#define PASSED_ON_MS 10000 /* a beat that others pass on is not older */

static const json_t *link_at (const doctor_t *self, size_t index)
{
    return json_array_get (self->links, index);
}

static bool is_state (const json_t *link, const char *state)
{
    return strcmp (told_state (link), state) == 0;
}

/* A member other than ourselves, with a right. */
static bool is_other (const json_t *link)
{
    return !is_state (link, "self") && strcmp (told_text (link, "/role", "none"), "none") != 0;
}

static const char *name_of (const json_t *link)
{
    return told_text (link, "/name", "?");
}

/* Two peers that do not listen hear of each other through a third. */
static bool is_reached_by_others (const doctor_t *self, const json_t *link)
{
    int64_t seen_ms = told_int (link, "/seen_ms", -1);
    return strcmp (told_text (self->status, "/mesh/listen", ""), "none") == 0
           && !*told_text (link, "/address", "") && seen_ms >= 0 && seen_ms < PASSED_ON_MS;
}

/* Just after a start, links come up yet: that is waited for. */
static bool is_settled (const doctor_t *self)
{
    bool all_up = true;
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        const json_t *link = link_at (self, i);
        all_up = all_up
                 && (!is_other (link) || told_flag (link, "/fenced") || is_state (link, "up")
                     || is_reached_by_others (self, link));
    }
    return all_up || told_int (self->status, "/clock/up_ms", 0) > SETTLED_MS;
}

static void wait_until_settled (doctor_t *self)
{
    const struct timespec gap = {0, 500000000};
    json_t *status = NULL, *links = NULL;
    while (!is_settled (self)) {
        (void) nanosleep (&gap, NULL);
        if (told_status (self->call, &status) != SAKER_OK
            || told_links (self->call, &links) != SAKER_OK) {
            json_decref (status);
            return;
        }
        json_decref (self->status);
        json_decref (self->links);
        self->status = status;
        self->links = links;
    }
}

/* ---- links */

static void look_at_away (doctor_t *self, const json_t *link)
{
    char age[AMOUNT_MAX];
    int64_t seen_ms = told_int (link, "/seen_ms", -1), behind = told_int (link, "/behind", -1);
    const char *address = told_text (link, "/address", "");
    const char *name = name_of (link);
    bool stopped = is_state (link, "left");
    const char *next = findings_next (
        "see that sakerd runs on %s; test the path: saker dial %s; if it is gone for good: saker "
        "revoke %s",
        name, *address ? address : "ADDR", name);
    amount_age (seen_ms, age);
    if (seen_ms < 0) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_EUNREACHABLE, "link.unheard", next,
                      "%s was not heard since this daemon started", name);
    } else if (behind > 0) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_EUNREACHABLE, "link.silent", next,
                      "%s %s, heard last %s ago, and lacks %" PRId64 " change%s that %s here", name,
                      stopped ? "was stopped" : "is silent", age, behind,
                      amount_plural ((uint64_t) behind), behind == 1 ? "is" : "are");
    } else {
        findings_add (&self->findings, FINDING_NOTE, SAKER_OK, "link.away", next,
                      "%s %s, heard last %s ago; it has all that is here", name,
                      stopped ? "was stopped" : "is silent", age);
    }
}

static void look_at_up (doctor_t *self, const json_t *link)
{
    const char *name = name_of (link);
    int64_t requests = told_int (link, "/requests", 0);
    int64_t timeouts = told_int (link, "/timeouts", 0);
    if (timeouts >= TIMEOUTS_MIN && timeouts * 10 > requests) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_ETIMEOUT, "link.timeouts",
                      findings_next ("saker ping %s --count 20; look at the network between", name),
                      "%" PRId64 " of %" PRId64 " questions to %s were not answered in time",
                      timeouts, requests, name);
    }
    if (told_int (link, "/bad_answers", 0) > 0) {
        findings_add (
            &self->findings, FINDING_WARNING, SAKER_EVERSION, "link.answers",
            findings_next ("see with saker --version which of the two is older, and update "
                           "it"),
            "%" PRId64 " answers of %s were not in form", told_int (link, "/bad_answers", 0), name);
    }
}

static void look_at_link (doctor_t *self, const json_t *link)
{
    const char *name = name_of (link);
    if (told_flag (link, "/fenced")) {
        findings_add (&self->findings, FINDING_NOTE, SAKER_OK, "member.fenced",
                      findings_next ("start it where it reaches a member: it returns by itself; if "
                                     "it is gone for good: saker revoke %s",
                                     name),
                      "%s is fenced: nobody waits for it", name);
        return;
    }
    if (told_flag (link, "/doubled")) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_EWAIT, "member.doubled",
                      findings_next ("start all members once; then %s closes what it was before by "
                                     "itself; an admin can fence those that stay away",
                                     name),
                      "%s was restored or copied, and has not closed what it was before", name);
    }
    if (is_state (link, "up") || is_state (link, "slow")) {
        look_at_up (self, link);
    } else if (!is_reached_by_others (self, link)) {
        look_at_away (self, link);
    }
}

static void look_at_links (doctor_t *self)
{
    size_t others = 0, up = 0;
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        const json_t *link = link_at (self, i);
        if (is_other (link)) {
            others++;
            up += is_state (link, "up") || is_state (link, "slow");
            look_at_link (self, link);
        }
    }
    if (others > 0 && up == 0) {
        findings_add (
            &self->findings, FINDING_ERROR, SAKER_EUNREACHABLE, "link.none",
            "see what follows; on another member: saker listen on a free port, here: saker "
            "dial ADDR; name a seed where beacons do not pass; if they answer and refuse it, this "
            "device may have "
            "been revoked: saker peers there",
            "this peer is linked to none of the %zu other members: nothing comes or goes", others);
    }
    findings_looked (&self->findings, "the links: %zu of %zu up", up, others);
}

static void look_at_names (doctor_t *self)
{
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        for (size_t k = i + 1; k < json_array_size (self->links); k++) {
            const json_t *one = link_at (self, i), *other = link_at (self, k);
            bool both = strcmp (told_text (one, "/role", "none"), "none") != 0
                        && strcmp (told_text (other, "/role", "none"), "none") != 0;
            if (both && strcmp (name_of (one), name_of (other)) == 0) {
                findings_add (
                    &self->findings, FINDING_NOTE, SAKER_OK, "identity.names",
                    "name them by their ids (saker peers); if one is gone for good, revoke "
                    "it by its id",
                    "two members are called %s (%s and %s)", name_of (one),
                    told_text (one, "/id", ""), told_text (other, "/id", ""));
            }
        }
    }
    findings_looked (&self->findings, "the names of the members");
}

static bool any_away (const doctor_t *self)
{
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        const json_t *link = link_at (self, i);
        if (is_other (link) && (is_state (link, "silent") || is_state (link, "left"))) {
            return true;
        }
    }
    return false;
}

static void look_at_beacons (doctor_t *self)
{
    int64_t wanted = told_int (self->status, "/beacon/wanted", 0);
    int64_t works = told_int (self->status, "/beacon/interfaces", 0);
    if (works < wanted) {
        bool seeds = told_text (self->status, "/seeds/0/address", NULL) != NULL;
        findings_add (&self->findings, seeds ? FINDING_NOTE : FINDING_WARNING, SAKER_EUNREACHABLE,
                      "beacon.off",
                      "see the log of sakerd; free the UDP port (ss -lunp), or name a seed",
                      "beacons go out on %" PRId64 " of %" PRId64 " interfaces", works, wanted);
    }
    if (works > 0 && told_int (self->status, "/beacon/heard", 0) == 0 && any_away (self)
        && !told_text (self->status, "/seeds/0/address", NULL)) {
        findings_add (
            &self->findings, FINDING_WARNING, SAKER_EUNREACHABLE, "beacon.unheard",
            "beacons do not pass routers, most VPNs and many wireless networks: name a seed "
            "in saker.conf, seed = tcp://ADDR:5677, and let UDP 5670 in",
            "no beacon of a member was heard, and there is no seed to call instead");
    }
    if (told_int (self->status, "/beacon/strange", 0) > 0) {
        findings_add (&self->findings, FINDING_NOTE, SAKER_OK, "beacon.strange",
                      "nothing, if there is another mesh in this network; otherwise a member lacks "
                      "the newest key: saker keys",
                      "beacons were heard that are of no member");
    }
    findings_looked (&self->findings,
                     wanted > 0 ? "the beacons: %" PRId64 " of members were heard"
                                : "the beacons: switched off",
                     told_int (self->status, "/beacon/heard", 0));
}

/* ---- clocks */

/* How many members' clocks are known, and how many differ from ours by much, one way or the other.
 */
typedef struct skews_t {
    size_t known, ahead, behind;
} skews_t;

static bool skew_of (const json_t *link, int64_t *skew_ms)
{
    *skew_ms = told_int (link, "/skew_ms", 0);
    bool lately = is_state (link, "up") || is_state (link, "slow");
    return lately && json_is_integer (json_object_get (link, "skew_ms"));
}

static skews_t count_skews (const doctor_t *self)
{
    skews_t skews = {.known = 0};
    int64_t skew_ms;
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        if (skew_of (link_at (self, i), &skew_ms)) {
            skews.known++;
            skews.ahead += skew_ms > SKEW_WARNING_MS;
            skews.behind += skew_ms < -SKEW_WARNING_MS;
        }
    }
    return skews;
}

static finding_grade_t skew_grade (int64_t skew_ms)
{
    return llabs (skew_ms) > SKEW_ERROR_MS ? FINDING_ERROR : FINDING_WARNING;
}

/* Ours is wrong when most others say so, all in the same way. */
static bool judge_own_clock (doctor_t *self, const skews_t *skews)
{
    size_t most = skews->ahead > skews->behind ? skews->ahead : skews->behind;
    int64_t least_ms = 0, skew_ms;
    char age[AMOUNT_MAX];
    if (skews->known < 2 || most * 2 <= skews->known) {
        return false;
    }
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        bool counts = skew_of (link_at (self, i), &skew_ms)
                      && (skews->ahead > skews->behind ? skew_ms > SKEW_WARNING_MS
                                                       : skew_ms < -SKEW_WARNING_MS);
        if (counts && (least_ms == 0 || llabs (skew_ms) < llabs (least_ms))) {
            least_ms = skew_ms;
        }
    }
    amount_age (llabs (least_ms), age);
    findings_add (&self->findings, skew_grade (least_ms), SAKER_EDIFFER, "clock.own",
                  "set the clock of this machine: timedatectl set-ntp true",
                  "the clock of this machine is %s %s that of %zu of %zu other members", age,
                  least_ms > 0 ? "behind" : "ahead of", most, skews->known);
    return true;
}

static void look_at_clocks (doctor_t *self)
{
    skews_t skews = count_skews (self);
    bool own = judge_own_clock (self, &skews);
    int64_t skew_ms;
    for (size_t i = 0; i < json_array_size (self->links) && !own; i++) {
        const json_t *link = link_at (self, i);
        if (skew_of (link, &skew_ms) && llabs (skew_ms) > SKEW_WARNING_MS) {
            char age[AMOUNT_MAX];
            amount_age (llabs (skew_ms), age);
            findings_add (&self->findings, skew_grade (skew_ms), SAKER_EDIFFER, "clock.peer",
                          findings_next ("see which of the two is right (date -u), and there: "
                                         "timedatectl set-ntp true"),
                          "the clock of %s is %s %s this machine's", name_of (link), age,
                          skew_ms > 0 ? "ahead of" : "behind");
        }
    }
    findings_looked (&self->findings, "the clocks: of this machine and %zu other%s", skews.known,
                     amount_plural (skews.known));
}

/* ---- what waits: looked at twice, since what moves is not stuck */

static const json_t *find_link (const json_t *links, const char *id)
{
    for (size_t i = 0; i < json_array_size (links); i++) {
        const json_t *link = json_array_get (links, i);
        if (strcmp (told_text (link, "/id", ""), id) == 0) {
            return link;
        }
    }
    return NULL;
}

static bool is_deaf (const doctor_t *self, const json_t *link)
{
    const char *own_id = told_text (told_self (self->links), "/id", "");
    return is_other (link) && is_state (link, "up") && *own_id && !told_hears (link, own_id);
}

static bool anything_waits (const doctor_t *self)
{
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        const json_t *link = link_at (self, i);
        if (is_deaf (self, link)) {
            return true;
        }
        if (is_state (link, "up")
            && (told_int (link, "/behind", 0) > 0 || told_int (link, "/ahead", 0) > 0)) {
            return true;
        }
    }
    return told_int (self->status, "/changes/waiting", 0) > 0;
}

static void judge_hearing (doctor_t *self, const json_t *before, const json_t *now)
{
    if (is_deaf (self, before) && is_deaf (self, now)) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_EUNREACHABLE, "link.oneway",
                      findings_next ("on %s: saker dial %s; open that port and the next one in the "
                                     "firewall of this machine",
                                     name_of (now),
                                     told_text (self->status, "/mesh/listen", "ADDR")),
                      "%s is heard here, but does not hear this peer: the path works one way only",
                      name_of (now));
    }
}

/* `was` and `is`: how much there was to go, before and now. */
static void judge_amount (doctor_t *self, const char *name, int64_t was, int64_t is, bool there)
{
    if (was <= 0 || is <= 0) {
        return;
    }
    if (is < was) {
        findings_add (&self->findings, FINDING_NOTE, SAKER_OK, "changes.moving",
                      "wait; saker top shows how it goes",
                      there ? "%s catches up: it lacks %" PRId64 " changes"
                            : "this peer catches up: %s has %" PRId64 " changes that are not here",
                      name, is);
        return;
    }
    findings_add (
        &self->findings, FINDING_WARNING, SAKER_EWAIT, there ? "changes.behind" : "changes.missing",
        there ? findings_next ("on %s: saker doctor; what it refused or waits for, only it "
                               "knows",
                               name)
              : findings_next ("saker ping %s; if it answers, see what was refused or "
                               "waits: saker status",
                               name),
        there ? "%s is linked, but does not take the %" PRId64 " changes that it lacks"
              : "%s is linked and has %" PRId64 " changes, but they do not get here",
        name, is);
}

static void look_again (doctor_t *self)
{
    const struct timespec gap = {AGAIN_MS / 1000, AGAIN_MS % 1000 * 1000000L};
    json_t *status = NULL, *links = NULL;
    (void) nanosleep (&gap, NULL);
    if (told_status (self->call, &status) != SAKER_OK
        || told_links (self->call, &links) != SAKER_OK) {
        json_decref (status);
        return;
    }
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        const json_t *before = link_at (self, i);
        const json_t *now = find_link (links, told_text (before, "/id", ""));
        if (is_state (before, "up") && now && is_state (now, "up")) {
            judge_hearing (self, before, now);
            judge_amount (self, name_of (now), told_int (before, "/behind", 0),
                          told_int (now, "/behind", 0), true);
            judge_amount (self, name_of (now), told_int (before, "/ahead", 0),
                          told_int (now, "/ahead", 0), false);
        }
    }
    int64_t waiting = told_int (status, "/changes/waiting", 0);
    if (told_int (self->status, "/changes/waiting", 0) > 0 && waiting > 0) {
        findings_add (
            &self->findings, FINDING_WARNING, SAKER_EWAIT, "changes.waiting",
            "saker why COLL/DOC names what a document waits for; link the member that has "
            "it: saker links",
            "%" PRId64 " change%s here and wait%s for others that are not", waiting,
            waiting == 1 ? " is" : "s are", waiting == 1 ? "s" : "");
    }
    json_decref (status);
    json_decref (links);
}

static void look_at_pending (doctor_t *self)
{
    if (anything_waits (self)) {
        look_again (self);
    }
    findings_looked (&self->findings, "what waits, here and at the members that are linked");
}

/* ---- the cut */

static void add_holder (doctor_t *self, const char *collection, const json_t *holder)
{
    static const struct {
        const char *why, *words;
    } words[] = {
        {"behind", "has not stored all of it"},
        {"unheard", "was not heard since this daemon started"},
        {"roster", "told what it has under a roster that is not here yet"},
        {"own", "wrote changes that are not here yet"},
        {"fork", "has another change in place of one that is here"},
        {"returned", "was restored or copied, and may write as two"},
        {"closed", "lost a right, was fenced, or left it, at changes that are not here"},
    };
    const char *why = told_text (holder, "/why", ""), *said = why;
    const char *peer = told_text (holder, "/peer", "?");
    const json_t *link = find_link (self->links, told_text (holder, "/id", ""));
    bool linked = link && (is_state (link, "up") || is_state (link, "self"));
    bool moves = linked && (strcmp (why, "behind") == 0 || strcmp (why, "own") == 0);
    char bytes[AMOUNT_MAX];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        said = strcmp (why, words[i].why) == 0 ? words[i].words : said;
    }
    amount_bytes ((uint64_t) told_int (holder, "/bytes", 0), bytes);
    findings_add (
        &self->findings, moves ? FINDING_NOTE : FINDING_WARNING, SAKER_EWAIT, "cut.held",
        findings_next ("start %s where it reaches a member; if it stays away: saker fence "
                       "%s; saker gc --plan tells more",
                       peer, peer),
        "%s holds back the cut of %s: it %s; %s of history wait for it", peer, collection, said,
        bytes);
}

/* Each member once, with the collection of which most waits. */
static bool is_worst (const json_t *kept, const json_t *holder)
{
    const char *id = told_text (holder, "/id", "");
    int64_t bytes = told_int (holder, "/bytes", 0);
    bool before = true; /* in the order of the list, those before this one */
    for (size_t i = 0; i < json_array_size (kept); i++) {
        const json_t *holders = json_object_get (json_array_get (kept, i), "holders");
        bool counts = strcmp (told_text (json_array_get (kept, i), "/held_by", ""), "member") == 0;
        for (size_t k = 0; k < json_array_size (holders) && counts; k++) {
            const json_t *other = json_array_get (holders, k);
            int64_t others = told_int (other, "/bytes", 0);
            if (other == holder) {
                before = false;
            } else if (strcmp (told_text (other, "/id", ""), id) == 0
                       && (others > bytes || (others == bytes && before))) {
                return false;
            }
        }
    }
    return true;
}

static void look_at_cut (doctor_t *self)
{
    for (size_t i = 0; i < json_array_size (self->kept); i++) {
        const json_t *log = json_array_get (self->kept, i);
        const json_t *holders = json_object_get (log, "holders");
        bool held = strcmp (told_text (log, "/held_by", ""), "member") == 0;
        for (size_t k = 0; k < json_array_size (holders) && held; k++) {
            const json_t *holder = json_array_get (holders, k);
            if (is_worst (self->kept, holder)) {
                add_holder (self, told_text (log, "/collection", "?"), holder);
            }
        }
    }
    findings_looked (&self->findings, "what holds back the cut of %zu log%s",
                     json_array_size (self->kept), amount_plural (json_array_size (self->kept)));
}

/* ---- do all hold the same? */

static int take_verdict (const saker_verdict_t *verdict, void *argument)
{
    doctor_t *self = argument;
    if (verdict->reached && verdict->same_clock && !verdict->same_data) {
        findings_add (&self->findings, FINDING_ERROR, SAKER_EDIFFER, "data.differs",
                      findings_next ("saker doctor on %s, too; keep a backup of both, and take the "
                                     "data of the one that is wrong anew: join in another folder",
                                     verdict->peer),
                      "%s has applied the same changes to %s and holds other data", verdict->peer,
                      verdict->collection);
    }
    return 0;
}

static void look_at_sums (doctor_t *self)
{
    saker_err_t error = saker_verify (self->call->peer, NULL, VERIFY_MS, take_verdict, self);
    if (error != SAKER_OK && error != SAKER_EDIFFER && error != SAKER_EUNREACHABLE) {
        findings_add (&self->findings, FINDING_WARNING, error, "data.unverified",
                      "try again: saker verify", "the members could not be compared: %s",
                      saker_error_text ());
    }
    findings_looked (&self->findings, "whether members with the same changes hold the same data");
}

/* ---- does what is to be carried come? */

/* Admins carry everything. */
static bool is_admin_linked (const doctor_t *self)
{
    for (size_t i = 0; i < json_array_size (self->links); i++) {
        const json_t *link = json_array_get (self->links, i);
        if (strcmp (told_text (link, "/role", ""), "admin") == 0
            && strcmp (told_text (link, "/state", ""), "up") == 0) {
            return true;
        }
    }
    return false;
}

static int take_part (const saker_part_t *part, void *argument)
{
    doctor_t *self = argument;
    if (strcmp (part->state, "fetching") == 0) {
        bool comes = is_admin_linked (self);
        findings_add (
            &self->findings, comes ? FINDING_NOTE : FINDING_WARNING, SAKER_EUNREACHABLE,
            "data.fetched",
            comes ? findings_next ("wait: saker carry %s shows how far it is", part->collection)
                  : "start sakerd on an admin's machine, which carries everything, and "
                    "see that it is linked: saker links",
            comes ? "more of %s is wanted here than is carried: it is being fetched"
                  : "more of %s is wanted here than is carried, and no admin's peer is "
                    "linked, from which it could come",
            part->collection);
    }
    return 0;
}

static void look_at_parts (doctor_t *self)
{
    if (saker_carried (self->call->peer, NULL, take_part, self) == SAKER_OK) {
        findings_looked (&self->findings, "whether what is to be carried is here");
    }
}

void doctor_mesh (doctor_t *self)
{
    wait_until_settled (self);
    look_at_links (self);
    look_at_names (self);
    look_at_beacons (self);
    look_at_clocks (self);
    look_at_pending (self);
    look_at_cut (self);
    look_at_parts (self);
    look_at_sums (self);
}
