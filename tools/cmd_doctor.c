/* doctor: what is wrong, and what to do. */

#include "amounts.h"
#include "commands.h"
#include "doctor.h"
#include "paint.h"
#include "say.h"
#include "told.h"

#include <string.h>

/* ---- reading everything */

static int skip_leaf (const saker_leaf_t *leaf, void *argument)
{
    (void) leaf, (void) argument;
    return 0;
}

static int take_name (const char *name, uint64_t documents, void *argument)
{
    (void) documents;
    return json_array_append_new (argument, json_string (name));
}

/* A record's checksum is looked at when it is read: so all are. */
static void read_all (doctor_t *self)
{
    json_t *names = json_array ();
    size_t index;
    json_t *name;
    (void) saker_collections (self->call->peer, take_name, names);
    json_array_foreach (names, index, name)
    {
        saker_err_t error =
            saker_iterate (self->call->peer, json_string_value (name), skip_leaf, NULL);
        if (error != SAKER_OK && error != SAKER_ERIGHT && error != SAKER_ENOTFOUND) {
            findings_add (&self->findings, FINDING_ERROR, error, "data.unreadable",
                          "check the disk (smartctl -a), then take the data anew: saker restore "
                          "FILE in another folder, or join anew",
                          "the collection %s cannot be read to its end: %s",
                          json_string_value (name), saker_error_text ());
        }
    }
    findings_looked (&self->findings, "every document of %zu collection%s", json_array_size (names),
                     amount_plural (json_array_size (names)));
    json_decref (names);
}

/* ---- the daemon */

static void add_down (doctor_t *self, saker_err_t error)
{
    if (!self->store) {
        return; /* that is told already */
    }
    findings_add (&self->findings, FINDING_ERROR, error, "daemon.down",
                  findings_next ("start it: systemctl start sakerd, or sakerd --store %s; it says "
                                 "why it ends when it does",
                                 self->call->store),
                  "no daemon answers on this store: nothing is taken from others or given to them");
}

static void ask_daemon (doctor_t *self)
{
    saker_err_t error = self->store ? call_open (self->call) : SAKER_ENOTFOUND;
    error = error == SAKER_OK ? told_status (self->call, &self->status) : error;
    error = error == SAKER_OK ? told_links (self->call, &self->links) : error;
    error = error == SAKER_OK ? told_kept (self->call, &self->kept) : error;
    self->running = error == SAKER_OK;
    self->call->sentence[0] = 0; /* it is told as a finding */
    if (!self->running) {
        add_down (self, error);
    }
    findings_looked (&self->findings, "whether a daemon runs on the store");
}

saker_err_t doctor_examine (doctor_t *self)
{
    findings_begin (&self->findings);
    self->config = saker_config_new ();
    if (!self->config || self->findings.failed) {
        return call_memory (self->call);
    }
    settings_begin (&self->gateway);
    saker_config_keys (self->config, settings_keys, settings_keys_count, &self->gateway);
    doctor_store (self);
    ask_daemon (self);
    if (self->running && call_option (self->call, "deep")) {
        read_all (self); /* before the daemon is asked what it met */
        json_decref (self->status);
        if (told_status (self->call, &self->status) != SAKER_OK) {
            return call_library (self->call, SAKER_EUNREACHABLE);
        }
    }
    doctor_net (self);
    doctor_self (self);
    if (self->running) {
        doctor_mesh (self);
        doctor_carried (self);
    }
    return self->findings.failed ? call_memory (self->call) : SAKER_OK;
}

void doctor_free (doctor_t *self)
{
    findings_free (&self->findings);
    saker_config_destroy (&self->config);
    json_decref (self->status);
    json_decref (self->links);
    json_decref (self->kept);
}

/* ---- telling */

static void print_finding (const json_t *finding)
{
    const char *grade = told_text (finding, "/severity", "");
    paint_t paint = strcmp (grade, "error") == 0     ? PAINT_RED
                    : strcmp (grade, "warning") == 0 ? PAINT_YELLOW
                                                     : PAINT_NONE;
    paint_text (stdout, paint, grade);
    fputs (": ", stdout);
    paint_text (stdout, PAINT_NONE, told_text (finding, "/sentence", ""));
    printf (" [%s]\n    next: ", told_text (finding, "/code", ""));
    paint_text (stdout, PAINT_NONE, told_text (finding, "/next", ""));
    putchar ('\n');
}

static void print_grade (const findings_t *findings, finding_grade_t grade)
{
    size_t index;
    json_t *finding;
    json_array_foreach (findings->found, index, finding)
    {
        if (strcmp (told_text (finding, "/severity", ""), findings_grade (grade)) == 0) {
            print_finding (finding);
        }
    }
}

static void print_looked (const findings_t *findings)
{
    size_t index;
    json_t *sentence;
    fputs ("looked at:\n", stdout);
    json_array_foreach (findings->looked, index, sentence)
    {
        fputs ("  ", stdout);
        paint_text (stdout, PAINT_NONE, json_string_value (sentence));
        putchar ('\n');
    }
}

static saker_err_t print_all (call_t *call, const findings_t *findings, bool fine)
{
    if (call->json) {
        return say_json (call, json_pack ("{s:b,s:I,s:I,s:I,s:O,s:O}", "ok", fine, "errors",
                                          (json_int_t) findings->counts[FINDING_ERROR], "warnings",
                                          (json_int_t) findings->counts[FINDING_WARNING], "notes",
                                          (json_int_t) findings->counts[FINDING_NOTE], "findings",
                                          findings->found, "looked", findings->looked));
    }
    for (int grade = FINDING_ERROR; grade >= FINDING_NOTE; grade--) {
        print_grade (findings, (finding_grade_t) grade);
    }
    if (fine) {
        print_looked (findings);
        paint_text (stdout, PAINT_GREEN, "OK");
        printf (": nothing is wrong or stuck, as far as this peer can tell; %zu note%s\n",
                findings->counts[FINDING_NOTE], amount_plural (findings->counts[FINDING_NOTE]));
    }
    return SAKER_OK;
}

static saker_err_t conclude (call_t *call, const findings_t *findings)
{
    size_t errors = findings->counts[FINDING_ERROR], warnings = findings->counts[FINDING_WARNING];
    bool fine = errors + warnings == 0;
    saker_err_t error = print_all (call, findings, fine);
    if (error == SAKER_OK && !fine) {
        error = call_fail (call, findings->status, "%zu error%s, %zu warning%s", errors,
                           amount_plural (errors), warnings, amount_plural (warnings));
    }
    return error;
}

static saker_err_t run_doctor (call_t *call)
{
    doctor_t self = {.call = call};
    saker_err_t error = doctor_examine (&self);
    error = error == SAKER_OK ? conclude (call, &self.findings) : error;
    doctor_free (&self);
    return error;
}

static const option_t doctor_options[] = {
    {"deep", NULL, "read every document, too, so that damaged records show"},
    {NULL, NULL, NULL},
};

const command_t cmd_doctor = {
    .name = "doctor",
    .run = run_doctor,
    .usage = "[--deep]",
    .summary =
        "Look for what is wrong or stuck, with the next step for each; exit status 0: nothing.",
    .details = "It looks at the store, its keys and who may read them, the disk, the "
               "config, network interfaces, ports, seeds, clocks, versions, the rights "
               "of this device and whether it runs twice, damaged records, links, what "
               "waits, who holds back the cut, and whether members with the same changes "
               "hold the same data. Just after the start of the daemon it waits until "
               "links are up, 15 s at most. Each finding has a code that stays, a "
               "severity (note, warning, error), a sentence and a next step; they are "
               "listed in docs/tools.md. Without warnings and errors it prints what it "
               "looked at, and OK; otherwise the exit status is that of the first of the "
               "gravest. It works without a daemon, too.",
    .options = doctor_options,
    .example = "saker doctor",
    .words_min = 0,
    .words_max = 0,
};
