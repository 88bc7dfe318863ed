#include "doctor.h"

#include "amounts.h"
#include "told.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define YEAR_2024_S 1704067200 /* no machine that runs this is older */

static int64_t number (const doctor_t *self, const char *pointer)
{
    return told_int (self->status, pointer, 0);
}

static void look_at_version (doctor_t *self)
{
    const char *theirs = told_text (self->status, "/version", "an older one");
    if (strcmp (theirs, saker_version ()) != 0) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_EVERSION, "version.daemon",
                      "restart sakerd after an update: systemctl restart sakerd",
                      "the daemon that runs is of version %s, this program of %s", theirs,
                      saker_version ());
    }
    if (number (self, "/router/bad_requests") > 0) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_EVERSION, "version.peer",
                      "see with saker --version which members are older, and update them",
                      "%" PRId64 " requests of other members were not understood: some may run "
                      "another version",
                      number (self, "/router/bad_requests"));
    }
    findings_looked (&self->findings, "the version of the daemon: %s", theirs);
}

static void look_at_rights (doctor_t *self)
{
    const char *role = told_text (self->status, "/device/role", "");
    const char *name = told_text (self->status, "/device/name", "");
    if (strcmp (role, "none") == 0) {
        findings_add (&self->findings, FINDING_ERROR, SAKER_ERIGHT, "device.revoked",
                      findings_next ("ask an admin for saker role %s write; or for a new ticket, "
                                     "and join in another folder",
                                     name),
                      "this device, %s, was revoked: it takes part in nothing any more", name);
    }
    findings_looked (&self->findings, "this device, %s, and its rights: %s", name, role);
}

static void look_at_identity (doctor_t *self)
{
    const char *twin = told_text (self->status, "/twin/what", NULL);
    if (twin) {
        findings_add (&self->findings, FINDING_ERROR, SAKER_EEXIST, "identity.twin",
                      "stop one of the two for good, and let that machine join as a new device: "
                      "saker join TICKET",
                      "%s", twin);
    }
    if (number (self, "/fork/collections") > 0) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_EWAIT, "identity.forked",
                      "keep both stores' daemons reachable until it is settled; then stop the copy",
                      "two stores wrote as this device: the histories of %" PRId64
                      " collection%s part; %" PRId64 " changes of the other are kept",
                      number (self, "/fork/collections"),
                      amount_plural ((uint64_t) number (self, "/fork/collections")),
                      number (self, "/fork/changes_kept"));
    }
    if (told_flag (self->status, "/device/doubled")) {
        findings_add (&self->findings, FINDING_WARNING, SAKER_EWAIT, "identity.doubled",
                      "start all members once, so that it hears them all; then it closes what it "
                      "was before by itself; an admin can fence those that stay away",
                      "this device was restored or copied, and has not closed what it was before: "
                      "no history is let go until then");
    }
    findings_looked (&self->findings, "whether this device runs twice, or was copied");
}

static void look_at_data (doctor_t *self)
{
    const char *ailing = told_text (self->status, "/store/ailing", NULL);
    int64_t damaged = number (self, "/store/damaged_records");
    if (ailing) {
        findings_add (&self->findings, FINDING_ERROR,
                      strcmp (ailing, "disk full") == 0 ? SAKER_EFULL : SAKER_EIO, "store.failing",
                      "make room, or see what is wrong with the disk (dmesg); it goes on by itself",
                      "the store takes no writes now: %s", ailing);
    } else if (number (self, "/store/failed_commits") > 0) {
        findings_add (
            &self->findings, FINDING_NOTE, SAKER_OK, "store.failed",
            "see the log of sakerd for when and why; nothing that was acknowledged is lost",
            "%" PRId64 " groups of writes could not be stored since the daemon started",
            number (self, "/store/failed_commits"));
    }
    if (damaged > 0) {
        findings_add (
            &self->findings, FINDING_ERROR, SAKER_EDAMAGED, "store.damaged",
            "check the disk (smartctl -a), then take the data anew: saker backup FILE, and "
            "saker restore FILE in another folder, or join anew",
            "%" PRId64 " record%s of the store %s damaged: their checksums differ", damaged,
            amount_plural ((uint64_t) damaged), damaged == 1 ? "is" : "are");
    }
    if (number (self, "/data/conflicts") > 0) {
        findings_add (&self->findings, FINDING_NOTE, SAKER_OK, "data.conflicts",
                      "see and settle them: saker conflicts",
                      "%" PRId64 " place%s ha%s rivals: two wrote at once, and both are kept",
                      number (self, "/data/conflicts"),
                      amount_plural ((uint64_t) number (self, "/data/conflicts")),
                      number (self, "/data/conflicts") == 1 ? "s" : "ve");
    }
    findings_looked (&self->findings, "the store: damaged records, failed writes, conflicts");
}

/* What members were refused is worth a look by a person; strangers at the door are not. */
static void look_at_refusals (doctor_t *self)
{
    static const struct {
        const char *pointer, *code, *words, *next;
    } kinds[] = {
        {"/refused/signature", "refused.signature", "carried a signature that does not hold",
         "see the log of sakerd for who sent them, and check that machine"},
        {"/refused/fork", "refused.fork",
         "is another version of one that is here: a member runs twice",
         "see saker status there, and stop the copy"},
        {"/refused/form", "refused.form", "is not in form: a member may run another version",
         "see with saker --version which member is older, and update it"},
        {"/refused/key", "refused.key", "could not be opened: the key to it is not here",
         "start an admin's peer, which hands out keys: saker keys"},
    };
    int64_t right = number (self, "/refused/right"), door = number (self, "/door/refused");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int64_t count = number (self, kinds[i].pointer);
        if (count > 0) {
            findings_add (&self->findings, FINDING_WARNING, SAKER_EFORGED, kinds[i].code,
                          kinds[i].next, "%" PRId64 " time%s a change was refused, since it %s",
                          count, amount_plural ((uint64_t) count), kinds[i].words);
        }
    }
    if (right > 0) {
        findings_add (&self->findings, FINDING_NOTE, SAKER_OK, "refused.right",
                      "saker peers shows who may do what; saker role gives rights",
                      "%" PRId64
                      " time%s a change was refused, since its author had no right to make it",
                      right, amount_plural ((uint64_t) right));
    }
    if (door > 0) {
        findings_add (&self->findings, FINDING_NOTE, SAKER_OK, "door.refused",
                      "if a machine of yours cannot get in: saker peers shows who is a member",
                      "%" PRId64 " connection%s of devices that are no members %s refused", door,
                      amount_plural ((uint64_t) door), door == 1 ? "was" : "were");
    }
    findings_looked (&self->findings, "what was refused, of members and of strangers");
}

static void look_at_clock (doctor_t *self)
{
    time_t now = time (NULL);
    if (now < YEAR_2024_S) {
        findings_add (&self->findings, FINDING_ERROR, SAKER_EINPUT, "clock.unset",
                      "set it: timedatectl set-ntp true",
                      "the clock of this machine is not set: it is years behind");
    }
    if (number (self, "/changes/future") > 0) {
        findings_add (&self->findings, FINDING_NOTE, SAKER_OK, "clock.future",
                      "saker links shows whose clock differs; timedatectl set-ntp true there",
                      "%" PRId64 " changes came from a clock more than 60 s ahead of this one",
                      number (self, "/changes/future"));
    }
}

void doctor_self (doctor_t *self)
{
    look_at_clock (self);
    if (self->running) {
        look_at_version (self);
        look_at_rights (self);
        look_at_identity (self);
        look_at_data (self);
        look_at_refusals (self);
    }
}
