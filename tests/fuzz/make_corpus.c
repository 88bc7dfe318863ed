/* Writes first inputs for every fuzz target, made by the real encoders: make_corpus FOLDER. What
   the fuzzers found since lies beside them in tests/fuzz/corpus. */

#include "tests/fuzz/fuzz.h"

#include "crdt/change.h"
#include "mesh/beacon.h"
#include "mesh/wire.h"
#include "peer/api.h"
#include "peer/bucket.h"
#include "peer/cut.h"
#include "peer/snapshot.h"
#include "peer/statement.h"
#include "peer/ticket.h"
#include "tests/lib/people.h"

#include <sys/stat.h>

static const char *folder;

static void save (const char *name, const char *what, skr_span_t bytes)
{
    char path[512];
    snprintf (path, sizeof path, "%s/%s", folder, name);
    mkdir (path, 0755);
    snprintf (path, sizeof path, "%s/%s/%s", folder, name, what);
    FILE *out = fopen (path, "we");
    FUZZ_CHECK (out && fwrite (bytes.data, 1, bytes.size, out) == bytes.size);
    fclose (out);
}

/* With a first byte, as most targets want it. */
static void save_as (const char *name, const char *what, uint8_t first, skr_span_t bytes)
{
    skr_buf_t buf = {0};
    skr_buf_append_byte (&buf, first);
    skr_buf_append_span (&buf, bytes);
    save (name, what, skr_span_of (&buf));
    skr_buf_free (&buf);
}

/* As input_span reads it. */
static void put_span (skr_buf_t *buf, skr_span_t bytes)
{
    size_t size = bytes.size < 4095 ? bytes.size : 4095;
    skr_buf_append_byte (buf, (uint8_t) (size >> 4));
    skr_buf_append_byte (buf, size & 15);
    skr_buf_append (buf, bytes.data, size);
}

static void put_op (skr_buf_t *ops, skr_op_kind_t kind, const char *pointer, int64_t value)
{
    skr_buf_t path = {0}, argument = {0};
    skr_pred_t pred = {0, 1, 0};
    FUZZ_CHECK (skr_path_from_pointer (&path, pointer) == SAKER_OK);
    skr_cbor_put_int (&argument, value);
    bool valued = kind != SKR_OP_DELETE && kind != SKR_OP_SET_MAP;
    skr_op_put (ops, kind, skr_span_text ("d1"), skr_span_of (&path), &pred, kind != SKR_OP_INCR,
                valued ? skr_span_of (&argument) : skr_span (NULL, 0));
    skr_buf_free (&path);
    skr_buf_free (&argument);
}

static void make_content (skr_buf_t *content)
{
    static const skr_id_t writers[] = {{{2}}};
    skr_buf_t ops = {0};
    put_op (&ops, SKR_OP_SET, "/a", 1);
    put_op (&ops, SKR_OP_SET_LWW, "/m/x", -2);
    put_op (&ops, SKR_OP_INCR, "/n", 3);
    put_op (&ops, SKR_OP_ADD, "/s", 4);
    put_op (&ops, SKR_OP_REMOVE, "/s", 4);
    put_op (&ops, SKR_OP_SET_MAP, "/e", 0);
    put_op (&ops, SKR_OP_DELETE, "/m", 0);
    skr_content_put (content, writers, 1, skr_span_of (&ops), 7, skr_span_text ("id"),
                     skr_span_text ("origin"), skr_span_text ("fresh"));
    skr_buf_free (&ops);
}

static void make_changes (stage_t *stage)
{
    static const skr_clock_t nothing;
    skr_buf_t changes = {0}, content = {0}, frame = {0}, two = {0};
    size_t count = 0;
    bool more = false;
    skr_cbor_t cbor;
    FUZZ_CHECK (skr_replica_pull (stage->pair.a, &stage->collection, &nothing, 4000, &changes,
                                  &count, &more)
                == SAKER_OK);
    skr_cbor_open (&cbor, skr_span_of (&changes));
    skr_span_t change = skr_cbor_get_bytes (&cbor);
    save_as ("change", "signed", 0, change);
    skr_cbor_open (&cbor, change);
    skr_cbor_get_array (&cbor, 2);
    save_as ("change", "body", 1, skr_cbor_get_bytes (&cbor));
    make_content (&content);
    save_as ("change", "content", 2, skr_span_of (&content));
    skr_cbor_put_array (&frame, count);
    skr_buf_append_span (&frame, skr_span_of (&changes));
    save_as ("live", "real", 0, skr_span_of (&frame));
    put_span (&two, skr_span_of (&content));
    put_span (&two, skr_span_of (&content));
    save_as ("live", "contents", 1, skr_span_of (&two));
    save ("cbor", "content", skr_span_of (&content));
    save ("cbor", "numbers", skr_span ("\x86\x00\x18\x18\x39\x01\x00\xf9\x3c\x00\xf6\xf5", 12));
    skr_buf_free (&changes);
    skr_buf_free (&content);
    skr_buf_free (&frame);
    skr_buf_free (&two);
}

static void make_statements (stage_t *stage)
{
    static const uint8_t random[32] = {1}, ticket[32] = {2}, key[32] = {3};
    const skr_device_t *device = skr_replica_device (stage->pair.a);
    const skr_roster_t *roster = skr_replica_roster (stage->pair.a);
    const skr_member_t *members[] = {skr_roster_at (roster, 0), skr_roster_at (roster, 1)};
    skr_buf_t statements[4] = {{0}}, all = {0};
    skr_statement_found (&statements[0], device, random, "mesh", "alpha");
    skr_statement_incarnate (&statements[1], skr_device_key (device), random, skr_span (NULL, 0));
    skr_statement_admit (&statements[2], members[1], ticket);
    FUZZ_CHECK (skr_statement_key (&statements[3], &stage->collection, 0, key, members, 2)
                == SAKER_OK);
    for (int i = 0; i < 4; i++) {
        put_span (&all, skr_span_of (&statements[i]));
        skr_buf_free (&statements[i]);
    }
    save ("statement", "all", skr_span_of (&all));
    skr_buf_free (&all);
}

/* What closes writers. */
static void make_closings (stage_t *stage)
{
    const skr_member_t *member = skr_roster_at (skr_replica_roster (stage->pair.a), 1);
    const skr_id_t *writer = skr_replica_writer (stage->pair.b);
    const skr_cutoff_t cutoffs[] = {{{{0}}, *writer, 1}, {stage->collection, *writer, 3}};
    skr_closing_t closing = {.role = SKR_ROLE_READ, .cutoffs = cutoffs, .cutoffs_count = 2};
    skr_fork_settled_t fork = {
        .collection = stage->collection, .writer = *writer, .seq = 2, .upto = 5};
    skr_buf_t statements[3] = {{0}}, all = {0};
    memcpy (closing.device, member->device, sizeof closing.device);
    memset (closing.to.bytes, 0xff, sizeof closing.to.bytes);
    skr_statement_role (&statements[0], &closing);
    skr_statement_fence (&statements[1], &closing);
    skr_statement_fork (&statements[2], member->device, &fork);
    for (int i = 0; i < 3; i++) {
        put_span (&all, skr_span_of (&statements[i]));
        skr_buf_free (&statements[i]);
    }
    save ("statement", "closings", skr_span_of (&all));
    skr_buf_free (&all);
}

static void make_beat (stage_t *stage)
{
    static skr_beat_t beat;
    skr_buf_t raw = {0};
    skr_cbor_t cbor;
    const skr_collection_t *held = skr_replica_collection (stage->pair.a, &stage->collection);
    const skr_collection_t *roster = skr_replica_collection_at (stage->pair.a, 0);
    beat.writer = *skr_replica_writer (stage->pair.a);
    beat.number = 3;
    beat.links_count = 2;
    beat.entries_count = 2;
    beat.entries[0].collection = roster->id;
    beat.entries[0].clock = roster->clock;
    beat.entries[1].collection = held->id;
    beat.entries[1].clock = held->clock;
    FUZZ_CHECK (skr_replica_hashes (stage->pair.a, roster, &beat.entries[0].hashes) == SAKER_OK
                && skr_replica_hashes (stage->pair.a, held, &beat.entries[1].hashes) == SAKER_OK
                && skr_cut_kept (stage->pair.a, roster, &beat.entries[0].kept) == SAKER_OK
                && skr_cut_kept (stage->pair.a, held, &beat.entries[1].kept) == SAKER_OK);
    skr_beat_put (&raw, &beat, skr_roster_mesh (skr_replica_roster (stage->pair.a)),
                  skr_device_secret (skr_replica_device (stage->pair.a)));
    save_as ("beat", "signed", 0, skr_span_of (&raw));
    skr_cbor_open (&cbor, skr_span_of (&raw));
    skr_cbor_get_array (&cbor, 2);
    save_as ("beat", "body", 1, skr_cbor_get_bytes (&cbor));
    save ("beacon", "made", skr_span ("\x01\x16\x2d\x00\x09instance", 13));
    save_as ("beacon", "raw", 0, skr_span ("\x01\x16\x2d\x00\x09\x07\x07\x07\x07\x07\x07\x07", 12));
    skr_buf_free (&raw);
}

/* up; HELLO answered; a beat with news; the pull answered truly; time. */
static void make_stories (stage_t *stage)
{
    skr_buf_t story = {0}, hello = {0}, request = {0};
    skr_cbor_put_bytes (&hello, skr_device_key (skr_replica_device (stage->pair.b)), 32);
    skr_cbor_put_bytes (&hello, skr_replica_writer (stage->pair.b)->bytes, 16);
    skr_cbor_put_uint (&hello, 4242);
    skr_cbor_put_bytes (&hello, "12345678", 8);
    skr_cbor_put_array (&hello, 0);
    skr_buf_append (&story, "\x00\x06\x01\x00\x05", 5);
    put_span (&story, skr_span_of (&hello));
    skr_buf_append (&story, "\x04\x01\x07\x01\x00\x00\x09\x05\x05\x05\x05\xff\xff", 13);
    skr_buf_append (&story, "\x03\x01\x00\x00\x00\x03\x02\x00\x01\x10\x04\x05\xff\xff\x07\x00", 16);
    save ("session", "story", skr_span_of (&story));
    skr_buf_clear (&story);
    skr_buf_append_byte (&story, 1);
    for (uint8_t kind = 1; kind <= 7; kind++) {
        skr_buf_clear (&request);
        uint8_t count = kind == SKR_WIRE_PULL || kind == SKR_WIRE_PART ? 3
                        : kind == SKR_WIRE_JOIN                        ? 4
                        : kind == SKR_WIRE_HELLO                       ? 3
                                                                       : 1;
        skr_cbor_put_bytes (&request, stage->collection.bytes, kind == SKR_WIRE_HELLO ? 8 : 16);
        if (kind == SKR_WIRE_HELLO) {
            skr_cbor_put_uint (&request, 4242);
        }
        if (kind == SKR_WIRE_PULL || kind == SKR_WIRE_HELLO) {
            skr_cbor_put_array (&request, 0);
        }
        if (kind == SKR_WIRE_PULL || kind == SKR_WIRE_PART) {
            skr_cbor_put_uint (&request, 4096);
        }
        if (kind == SKR_WIRE_PART) {
            skr_cbor_put_uint (&request, 0);
        }
        skr_buf_append_byte (&story, (uint8_t) (0x40 | count << 3 | kind));
        put_span (&story, skr_span_of (&request));
    }
    save ("session", "requests", skr_span_of (&story));
    skr_buf_free (&story);
    skr_buf_free (&hello);
    skr_buf_free (&request);
}

static void put_api (skr_buf_t *buf, uint8_t command, uint8_t count, const skr_buf_t *arguments)
{
    skr_buf_append_byte (buf, command);
    skr_buf_append_byte (buf, count);
    put_span (buf, skr_span_of (arguments));
}

static void make_api (void)
{
    skr_buf_t all = {0}, arguments = {0}, path = {0};
    FUZZ_CHECK (skr_path_from_pointer (&path, "/n") == SAKER_OK);
    skr_cbor_put_uint (&arguments, 0);
    skr_cbor_put_text (&arguments, "stage", 5);
    skr_cbor_put_uint (&arguments, 1);
    skr_cbor_put_array (&arguments, 1);
    skr_cbor_put_array (&arguments, 4);
    skr_cbor_put_uint (&arguments, SKR_INTENT_SET);
    skr_cbor_put_text (&arguments, "d1", 2);
    skr_cbor_put_bytes (&arguments, path.data, path.size);
    skr_cbor_put_int (&arguments, 5);
    put_api (&all, SKR_COMMAND_WRITE, 2, &arguments);
    skr_buf_clear (&arguments);
    skr_cbor_put_uint (&arguments, 0);
    skr_cbor_put_text (&arguments, "stage", 5);
    skr_cbor_put_uint (&arguments, 1);
    skr_cbor_put_text (&arguments, "d1", 2);
    put_api (&all, SKR_COMMAND_ITERATE, 2, &arguments);
    put_api (&all, SKR_COMMAND_DOCUMENTS, 2, &arguments);
    skr_cbor_put_uint (&arguments, 2);
    skr_cbor_put_bytes (&arguments, "", 0);
    put_api (&all, SKR_COMMAND_READ, 3, &arguments);
    save ("api", "data", skr_span_of (&all));
    skr_buf_clear (&all);
    for (uint8_t command = 1; command < SKR_COMMANDS; command++) {
        skr_buf_clear (&arguments);
        skr_cbor_put_uint (&arguments, 0);
        skr_cbor_put_uint (&arguments, 1);
        skr_cbor_put_uint (&arguments, 1);
        skr_cbor_put_uint (&arguments, 1000);
        put_api (&all, command, 2, &arguments);
    }
    save ("api", "commands", skr_span_of (&all));
    skr_buf_free (&all);
    skr_buf_free (&arguments);
    skr_buf_free (&path);
}

static void make_records (stage_t *stage)
{
    skr_bucket_writer_t bucket = {0};
    skr_buf_t address = {0}, value = {0}, path = {0}, log = {0};
    uint64_t size;
    uint8_t hash[32], word[4];
    char file[160];
    FUZZ_CHECK (skr_path_from_pointer (&path, "/a") == SAKER_OK);
    skr_address_put (&address, skr_span_of (&path), SKR_REGISTER, skr_span (NULL, 0));
    skr_cbor_put_int (&value, 5);
    for (uint32_t i = 1; i < 4; i++) {
        skr_item_t item = {.writer = i,
                           .seq = 10 + i,
                           .hlc = 1000,
                           .address = skr_span_of (&address),
                           .value = skr_span_of (&value)};
        skr_bucket_put (&bucket, &item);
    }
    save_as ("record", "bucket", 0, skr_span_of (&bucket.bytes));
    skr_put_u32 (word, 1);
    skr_buf_append (&log, word, 4);
    skr_put_u32 (word, 6);
    skr_buf_append (&log, word, 4);
    skr_buf_append (&log, "changeundo", 10);
    save_as ("record", "log", 1, skr_span_of (&log));
    save_as ("record", "invitation", 2, skr_span ("\xa3\x00\x03\x01\x19\x03\xe8\x02\xf4", 9));
    save_as ("record", "value", 3,
             skr_span ("\x63"
                       "abc",
                       4));
    snprintf (file, sizeof file, "%s/corpus", stage->pair.folder);
    FUZZ_CHECK (skr_snapshot_make (stage->pair.a, &stage->collection, &(skr_extract_t){0}, file,
                                   &size, hash)
                == SAKER_OK);
    skr_buf_t whole = {0};
    FILE *in = fopen (file, "re");
    FUZZ_CHECK (in && skr_buf_reserve (&whole, size));
    whole.size = fread (whole.data, 1, size, in);
    fclose (in);
    save_as ("snapshot", "real", 0, skr_span_of (&whole));
    save ("snapshot", "overwritten", skr_span ("\x01\x00\x20\x00\x02\x55\x66", 7));
    skr_buf_free (&whole);
    skr_buf_free (&bucket.bytes);
    skr_buf_free (&address);
    skr_buf_free (&value);
    skr_buf_free (&path);
    skr_buf_free (&log);
}

static void make_texts (void)
{
    static skr_ticket_t ticket;
    char text[SAKER_TICKET_MAX];
    ticket.expires_ms = 1700000000000ull;
    ticket.addresses_count = 1;
    snprintf (ticket.mesh_name, sizeof ticket.mesh_name, "studio");
    snprintf (ticket.addresses[0], sizeof ticket.addresses[0], "tcp://10.0.0.1:5677");
    FUZZ_CHECK (skr_ticket_text (&ticket, text) == SAKER_OK);
    save ("ticket", "real", skr_span_text (text));
    save ("config", "all",
          skr_span_text ("# a comment\nlisten = tcp://*:5677\nseeds = tcp://10.0.0.1:5677\n"
                         "seed = tcp://a.example:1\ninterfaces = eth0\nbeacon = off\n"
                         "beacon-port = 5670\nlog-level = debug\n"));
    save ("json", "all",
          skr_span_text ("{\"a\": [1, -2.5e3, true, null, \"\\u00e9\\ud83d\\ude00\"], "
                         "\"b\": {\"c\": 9223372036854775807}}"));
    save ("json", "bad", skr_span_text ("{\"a\": 1, \"a\": 2}"));
}

int main (int argc, char **argv)
{
    if (argc != 2) {
        fprintf (stderr, "usage: make_corpus FOLDER\n");
        return 2;
    }
    folder = argv[1];
    mkdir (folder, 0755);
    stage_t *stage = stage_get ();
    make_changes (stage);
    make_statements (stage);
    make_closings (stage);
    make_beat (stage);
    make_stories (stage);
    make_api ();
    make_records (stage);
    make_texts ();
    return 0;
}
