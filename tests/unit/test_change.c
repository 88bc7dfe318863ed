#include "crdt/change.h"
#include "crdt/limits.h"
#include "tests/check.h"

#include <sodium.h>

static uint8_t public_key[32], secret_key[64], other_public[32];
static uint8_t key_id[8], key[32], nonce[24], prev[32];
static skr_clock_t no_deps;
static skr_span_t none;

static skr_id_t id_of (int byte)
{
    skr_id_t id;
    memset (id.bytes, byte, sizeof id.bytes);
    return id;
}

static void make_keys (void)
{
    uint8_t seed[32] = {1}, other[64];
    crypto_sign_seed_keypair (public_key, secret_key, seed);
    seed[0] = 2;
    crypto_sign_seed_keypair (other_public, other, seed);
    memset (key_id, 0x1d, sizeof key_id);
    memset (key, 0x4e, sizeof key);
    memset (nonce, 0x70, sizeof nonce);
}

static skr_draft_t draft_of (const skr_buf_t *content)
{
    return (skr_draft_t){.mesh = id_of (0xee),
                         .collection = id_of (0xc0),
                         .writer = id_of (0xaa),
                         .seq = 1,
                         .hlc = 1000,
                         .prev = prev,
                         .deps = &no_deps,
                         .key_id = key_id,
                         .key = key,
                         .nonce = nonce,
                         .content = skr_span_of (content),
                         .secret = secret_key};
}

/* A content of `count` deletes. */
static skr_buf_t content_of (size_t count)
{
    skr_buf_t ops = {0}, content = {0};
    for (size_t i = 0; i < count; i++) {
        skr_op_put (&ops, SKR_OP_DELETE, skr_span_text ("doc"), none, NULL, 0, none);
    }
    skr_content_put (&content, NULL, 0, skr_span_of (&ops), count, none, none, none);
    skr_buf_free (&ops);
    return content;
}

static saker_err_t parse_body (const skr_buf_t *body, skr_change_t *change, skr_buf_t *raw)
{
    uint8_t signature[64] = {0};
    skr_buf_clear (raw);
    skr_cbor_put_array (raw, 2);
    skr_cbor_put_bytes (raw, body->data, body->size);
    skr_cbor_put_bytes (raw, signature, sizeof signature);
    return skr_change_parse (change, skr_span_of (raw));
}

/* ---- whole changes ---- */

static void a_change_comes_back (void)
{
    skr_buf_t content = content_of (2), raw = {0}, opened = {0};
    skr_clock_t deps = {0}, got = {0};
    skr_id_t one = id_of (1), two = id_of (2), mesh = id_of (0xee), other_mesh = id_of (0xef);
    skr_draft_t draft = draft_of (&content);
    skr_change_t change;
    CHECK_OK (skr_clock_set (&deps, &two, 70000));
    CHECK_OK (skr_clock_set (&deps, &one, 3));
    draft.deps = &deps;
    CHECK_OK (skr_change_build (&draft, &raw));
    CHECK_OK (skr_change_parse (&change, skr_span_of (&raw)));
    CHECK (skr_id_equal (&change.collection, &draft.collection));
    CHECK (skr_id_equal (&change.writer, &draft.writer));
    CHECK_INT (change.seq, 1);
    CHECK_INT (change.hlc, 1000);
    CHECK (memcmp (change.key_id, key_id, sizeof key_id) == 0);
    CHECK_INT (change.deps_count, 2);
    CHECK_OK (skr_change_deps (&change, &got));
    CHECK (skr_clock_equal (&deps, &got));
    CHECK (!skr_change_is_roster (&change));
    CHECK_OK (skr_change_verify (&change, &mesh, public_key));
    CHECK_ERR (skr_change_verify (&change, &other_mesh, public_key), SAKER_EFORGED, "signature");
    CHECK_ERR (skr_change_verify (&change, &mesh, other_public), SAKER_EFORGED, "signature");
    skr_buf_append_byte (&opened, 'x'); /* appends */
    CHECK_OK (skr_change_unseal (&change, key, &opened));
    CHECK (skr_span_equal (skr_span (opened.data + 1, opened.size - 1), skr_span_of (&content)));
    skr_clock_free (&deps);
    skr_clock_free (&got);
    skr_buf_free (&content);
    skr_buf_free (&raw);
    skr_buf_free (&opened);
}

static void a_roster_change_is_in_the_clear (void)
{
    skr_buf_t content = content_of (1), raw = {0}, opened = {0};
    skr_draft_t draft = draft_of (&content);
    skr_change_t change;
    draft.collection = id_of (0);
    draft.key = draft.nonce = draft.key_id = NULL;
    CHECK_OK (skr_change_build (&draft, &raw));
    CHECK_OK (skr_change_parse (&change, skr_span_of (&raw)));
    CHECK (skr_change_is_roster (&change));
    CHECK (skr_span_equal (change.sealed, skr_span_of (&content)));
    CHECK (sodium_is_zero (change.key_id, sizeof change.key_id));
    CHECK_OK (skr_change_unseal (&change, NULL, &opened));
    CHECK (skr_span_equal (skr_span_of (&opened), skr_span_of (&content)));
    skr_buf_free (&content);
    skr_buf_free (&raw);
    skr_buf_free (&opened);
}

/* Every flipped bit is noticed: by the form, by the signature, or by the seal; and the body is
   the hash's whole input. */
static void every_flipped_bit_is_noticed (void)
{
    skr_buf_t content = content_of (1), raw = {0}, opened = {0};
    skr_draft_t draft = draft_of (&content);
    skr_id_t mesh = draft.mesh;
    uint8_t hash[32], flipped[32];
    skr_change_t change;
    CHECK_OK (skr_change_build (&draft, &raw));
    CHECK_OK (skr_change_parse (&change, skr_span_of (&raw)));
    skr_change_hash (&change, hash);
    for (size_t bit = 0; bit < raw.size * 8; bit++) {
        raw.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        if (skr_change_parse (&change, skr_span_of (&raw)) == SAKER_OK) {
            CHECK (skr_change_verify (&change, &mesh, public_key) == SAKER_EFORGED);
            skr_change_hash (&change, flipped);
            bool in_body = raw.data + bit / 8 < change.signature;
            CHECK (!in_body == !memcmp (hash, flipped, sizeof hash));
            saker_err_t error = skr_change_unseal (&change, key, &opened);
            CHECK (error
                   == (in_body && !skr_change_is_roster (&change) ? SAKER_EFORGED : SAKER_OK));
            skr_buf_clear (&opened);
        }
        raw.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    skr_buf_free (&content);
    skr_buf_free (&raw);
    skr_buf_free (&opened);
}

static void a_wrong_key_leaves_nothing (void)
{
    skr_buf_t content = content_of (1), raw = {0}, opened = {0};
    skr_draft_t draft = draft_of (&content);
    skr_change_t change;
    uint8_t wrong[32] = {0};
    CHECK_OK (skr_change_build (&draft, &raw));
    CHECK_OK (skr_change_parse (&change, skr_span_of (&raw)));
    CHECK_ERR (skr_change_unseal (&change, wrong, &opened), SAKER_EFORGED, "seal");
    CHECK_INT (opened.size, 0);
    skr_buf_free (&content);
    skr_buf_free (&raw);
    skr_buf_free (&opened);
}

static void a_cut_change_is_refused (void)
{
    skr_buf_t content = content_of (1), raw = {0};
    skr_draft_t draft = draft_of (&content);
    skr_change_t change;
    CHECK_OK (skr_change_build (&draft, &raw));
    for (size_t size = 0; size < raw.size; size++) {
        uint8_t *cut = malloc (size + 1);
        memcpy (cut, raw.data, size);
        CHECK (skr_change_parse (&change, skr_span (cut, size)) == SAKER_EINPUT);
        CHECK (change.body.data == NULL);
        free (cut);
    }
    skr_buf_append_byte (&raw, 0); /* something after the end */
    CHECK (skr_change_parse (&change, skr_span_of (&raw)) == SAKER_EINPUT);
    skr_buf_free (&content);
    skr_buf_free (&raw);
}

static void a_change_is_at_most_64_KiB (void)
{
    skr_buf_t content = {0}, raw = {0};
    skr_draft_t draft = draft_of (&content);
    skr_change_t change;
    while (content.size < SKR_CHANGE_BYTES_MAX - 400) {
        skr_buf_append_byte (&content, 0x80);
    }
    skr_buf_append_byte (&raw, 'x');
    saker_err_t error = SAKER_OK;
    size_t largest = 0;
    while (error == SAKER_OK) {
        raw.size = 1;
        skr_buf_append_byte (&content, 0x80);
        draft.content = skr_span_of (&content);
        error = skr_change_build (&draft, &raw);
        largest = error == SAKER_OK ? raw.size - 1 : largest;
    }
    CHECK_INT (largest, SKR_CHANGE_BYTES_MAX);
    CHECK_INT (raw.size, 1); /* nothing is appended on an error */
    CHECK_ERR (error, SAKER_ELIMIT, "SKR_CHANGE_BYTES_MAX");
    static uint8_t large[SKR_CHANGE_BYTES_MAX + 1];
    CHECK_ERR (skr_change_parse (&change, skr_span (large, sizeof large)), SAKER_ELIMIT,
               "SKR_CHANGE_BYTES_MAX");
    skr_buf_free (&content);
    skr_buf_free (&raw);
}

static void a_bad_draft_is_not_signed (void)
{
    skr_buf_t content = content_of (1), raw = {0};
    skr_draft_t draft = draft_of (&content);
    skr_clock_t deps = {0};
    draft.seq = 0;
    CHECK (skr_change_build (&draft, &raw) == SAKER_EINPUT);
    draft.seq = 2;
    CHECK_ERR (skr_change_build (&draft, &raw), SAKER_EINPUT, "prev");
    draft.seq = 1;
    draft.hlc = 0;
    CHECK_ERR (skr_change_build (&draft, &raw), SAKER_EINPUT, "hlc");
    draft.hlc = 1;
    CHECK_OK (skr_clock_set (&deps, &draft.writer, 1));
    draft.deps = &deps;
    CHECK_ERR (skr_change_build (&draft, &raw), SAKER_EINPUT, "deps");
    CHECK_INT (raw.size, 0);
    skr_clock_free (&deps);
    skr_buf_free (&content);
    skr_buf_free (&raw);
}

/* ---- bodies, written by hand ---- */

typedef struct body_t {
    uint64_t version, seq, hlc;
    size_t collection_size;
    int collection, key_id_byte, prev_byte;
    int deps[3]; /* bytes of ids; 0: none */
    uint64_t dep_seq;
    size_t sealed_size;
    size_t keys;    /* how many of the known ones */
    uint64_t extra; /* one more key; 0: none */
} body_t;

static const body_t good = {.version = 1,
                            .seq = 2,
                            .hlc = 1,
                            .collection_size = 16,
                            .collection = 0xc0,
                            .key_id_byte = 1,
                            .prev_byte = 1,
                            .deps = {1, 2, 3},
                            .dep_seq = 1,
                            .sealed_size = 41,
                            .keys = 9};

static void put_filled (skr_buf_t *buf, int byte, size_t size)
{
    uint8_t filled[64];
    memset (filled, byte, sizeof filled);
    skr_cbor_put_bytes (buf, filled, size);
}

static void put_deps (skr_buf_t *buf, const body_t *body)
{
    size_t count = 0;
    while (count < 3 && body->deps[count]) {
        count++;
    }
    skr_cbor_put_array (buf, count);
    for (size_t i = 0; i < count; i++) {
        skr_cbor_put_array (buf, 2);
        put_filled (buf, body->deps[i], 16);
        skr_cbor_put_uint (buf, body->dep_seq);
    }
}

static void put_value (skr_buf_t *buf, const body_t *body, size_t i)
{
    const uint64_t numbers[] = {body->version, 0, 0, body->seq, body->hlc};
    skr_cbor_put_uint (buf, i);
    switch (i) {
    case 1:
        put_filled (buf, body->collection, body->collection_size);
        break;
    case 2:
        put_filled (buf, 0xaa, 16);
        break;
    case 5:
        put_filled (buf, body->prev_byte, 32);
        break;
    case 6:
        put_deps (buf, body);
        break;
    case 7:
        put_filled (buf, body->key_id_byte, 8);
        break;
    case 8:
        put_filled (buf, 9, body->sealed_size);
        break;
    default:
        skr_cbor_put_uint (buf, numbers[i]);
    }
}

static saker_err_t parse_made (const body_t *body)
{
    skr_buf_t buf = {0}, raw = {0};
    skr_change_t change;
    skr_cbor_put_map (&buf, body->keys + (body->extra > 0));
    for (size_t i = 0; i < body->keys; i++) {
        put_value (&buf, body, i);
    }
    if (body->extra) {
        skr_cbor_put_uint (&buf, body->extra);
        skr_cbor_put_array (&buf, 1);
        skr_cbor_put_text (&buf, "later", 5);
    }
    saker_err_t error = parse_body (&buf, &change, &raw);
    if (error == SAKER_OK) { /* design 4: passed on as it was made */
        error = skr_span_equal (change.raw, skr_span_of (&raw)) ? SAKER_OK : SAKER_EDIFFER;
    }
    skr_buf_free (&buf);
    skr_buf_free (&raw);
    return error;
}

static void forms_of_a_body (void)
{
    body_t body = good;
    CHECK_OK (parse_made (&body));
    body.version = 2;
    CHECK_ERR (parse_made (&body), SAKER_EVERSION, "version 2");
    body = good, body.seq = 0;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "seq is 0");
    body = good, body.hlc = 0;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "hlc is 0");
    body = good, body.seq = 1;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "prev");
    body.prev_byte = 0;
    CHECK_OK (parse_made (&body));
    body = good, body.prev_byte = 0;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "prev");
    body = good, body.collection_size = 15;
    CHECK (parse_made (&body) == SAKER_EINPUT);
    body = good, body.keys = 8;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "missing");
    body = good, body.sealed_size = 40;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "empty");
}

static void forms_of_deps (void)
{
    body_t body = good;
    body.dep_seq = 0;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "deps");
    body = good, body.deps[1] = 1;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "ascending");
    body = good, body.deps[2] = 1;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "ascending");
    body = good, body.deps[2] = 0xaa;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "itself");
}

static void forms_of_a_roster_body (void)
{
    body_t body = good;
    body.collection = 0;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "key id");
    body.key_id_byte = 0;
    CHECK_OK (parse_made (&body));
    body.sealed_size = 1;
    CHECK_OK (parse_made (&body));
    body.sealed_size = 0;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "empty");
}

static void unknown_keys_are_kept (void)
{
    body_t body = good;
    body.extra = 9;
    CHECK_OK (parse_made (&body));
    body.extra = 70000;
    CHECK_OK (parse_made (&body));
    body.extra = 8;
    CHECK (parse_made (&body) == SAKER_EINPUT);
}

static void a_key_instead_of_another_is_refused (void)
{
    body_t body = good;
    body.keys = 8; /* 9 stands where 8 should */
    body.extra = 9;
    CHECK_ERR (parse_made (&body), SAKER_EINPUT, "missing");
}

/* ---- content ---- */

static void a_content_comes_back (void)
{
    skr_buf_t ops = {0}, content = {0};
    skr_id_t writers[] = {id_of (1), id_of (2)};
    skr_pred_t pred = {1, 5, 0};
    skr_content_t got;
    skr_op_put (&ops, SKR_OP_DELETE, skr_span_text ("one"), none, &pred, 1, none);
    skr_op_put (&ops, SKR_OP_DELETE, skr_span_text ("two"), none, NULL, 0, none);
    skr_content_put (&content, writers, 2, skr_span_of (&ops), 2, skr_span_text ("id"),
                     skr_span_text ("bridge"), skr_span_text ("notes"));
    CHECK_OK (skr_content_parse (&got, skr_span_of (&content)));
    CHECK_INT (got.writers_count, 2);
    CHECK (skr_id_equal (&got.writers[1], &writers[1]));
    CHECK_INT (got.ops_count, 2);
    CHECK (skr_span_equal (got.ops[1].document, skr_span_text ("two")));
    CHECK (skr_span_equal (got.operation_id, skr_span_text ("id")));
    CHECK (skr_span_equal (got.origin, skr_span_text ("bridge")));
    CHECK (skr_span_equal (got.name, skr_span_text ("notes")));
    skr_content_free (&got);
    CHECK (got.ops == NULL);
    for (size_t size = 0; size < content.size; size++) {
        CHECK (skr_content_parse (&got, skr_span (content.data, size)) == SAKER_EINPUT);
        CHECK (got.ops == NULL && got.writers == NULL);
    }
    skr_buf_append_byte (&content, 0);
    CHECK (skr_content_parse (&got, skr_span_of (&content)) == SAKER_EINPUT);
    skr_buf_free (&ops);
    skr_buf_free (&content);
}

static saker_err_t parse_ops (size_t count)
{
    skr_content_t got;
    skr_buf_t content = content_of (count);
    saker_err_t error = skr_content_parse (&got, skr_span_of (&content));
    skr_content_free (&got);
    skr_buf_free (&content);
    return error;
}

static void operations_are_1_to_1024 (void)
{
    CHECK_ERR (parse_ops (0), SAKER_EINPUT, "no operations");
    CHECK_OK (parse_ops (1));
    CHECK_OK (parse_ops (SKR_CHANGE_OPS_MAX));
    CHECK (parse_ops (SKR_CHANGE_OPS_MAX + 1) == SAKER_EINPUT);
}

static saker_err_t parse_options (size_t id_size, size_t origin_size, size_t name_size)
{
    static const char text[] = "0123456789012345678901234567890123456789"
                               "012345678901234567890123456";
    skr_buf_t ops = {0}, content = {0};
    skr_content_t got;
    skr_op_put (&ops, SKR_OP_DELETE, skr_span_text ("one"), none, NULL, 0, none);
    skr_content_put (&content, NULL, 0, skr_span_of (&ops), 1, skr_span (text, id_size),
                     skr_span (text, origin_size), skr_span (text, name_size));
    saker_err_t error = skr_content_parse (&got, skr_span_of (&content));
    skr_content_free (&got);
    skr_buf_free (&ops);
    skr_buf_free (&content);
    return error;
}

static void options_are_bounded (void)
{
    CHECK_OK (parse_options (0, 0, 0));
    CHECK_OK (parse_options (64, 64, 64));
    CHECK_ERR (parse_options (65, 1, 1), SAKER_EINPUT, "SKR_OPERATION_ID_BYTES_MAX");
    CHECK_ERR (parse_options (0, 65, 1), SAKER_EINPUT, "SKR_ORIGIN_BYTES_MAX");
    CHECK_ERR (parse_options (0, 0, 65), SAKER_EINPUT, "SKR_COLLECTION_BYTES_MAX");
}

typedef struct bad_t {
    const char *what, *bytes;
    size_t size;
} bad_t;

#define BAD(what, bytes)                                                                           \
    {                                                                                              \
        what, bytes, sizeof bytes - 1                                                              \
    }
#define OP "\x84\x03\x61x\x80\x80"
#define ID_A                                                                                       \
    "\x50"                                                                                         \
    "AAAAAAAAAAAAAAAA"
#define ID_B                                                                                       \
    "\x50"                                                                                         \
    "BBBBBBBBBBBBBBBB"

static const bad_t bad_contents[] = {
    BAD ("no writers", "\xa1\x01\x81" OP),
    BAD ("no operations", "\xa1\x00\x80"),
    BAD ("operations first", "\xa2\x01\x81" OP "\x00\x80"),
    BAD ("unknown key", "\xa3\x00\x80\x01\x81" OP "\x05\x00"),
    BAD ("key twice", "\xa4\x00\x80\x01\x81" OP "\x03\x61x\x03\x61y"),
    BAD ("writers twice", "\xa2\x00\x82" ID_A ID_A "\x01\x81" OP),
    BAD ("writers descending", "\xa2\x00\x82" ID_B ID_A "\x01\x81" OP),
    BAD ("short writer", "\xa2\x00\x81\x41"
                         "A\x01\x81" OP),
    BAD ("empty operation id", "\xa3\x00\x80\x01\x81" OP "\x02\x40"),
    BAD ("operation id as text", "\xa3\x00\x80\x01\x81" OP "\x02\x61x"),
    BAD ("origin not UTF-8", "\xa3\x00\x80\x01\x81" OP "\x03\x61\xff"),
    BAD ("empty name", "\xa3\x00\x80\x01\x81" OP "\x04\x60"),
    BAD ("an array", "\x82\x80\x80"),
    BAD ("writers without end", "\xa2\x00\x9b\xff\xff\xff\xff\xff\xff\xff\xff"),
};

static void bad_contents_are_refused (void)
{
    skr_content_t got;
    static const char right[] = "\xa2\x00\x82" ID_A ID_B "\x01\x81" OP;
    CHECK_OK (skr_content_parse (&got, skr_span (right, sizeof right - 1)));
    skr_content_free (&got);
    for (size_t i = 0; i < sizeof bad_contents / sizeof *bad_contents; i++) {
        skr_span_t bytes = skr_span (bad_contents[i].bytes, bad_contents[i].size);
        saker_err_t error = skr_content_parse (&got, bytes);
        if (error != SAKER_EINPUT) {
            CHECK_FAIL ("%s: error %d", bad_contents[i].what, error);
        }
        skr_content_free (&got);
    }
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    make_keys ();
    RUN (a_change_comes_back);
    RUN (a_roster_change_is_in_the_clear);
    RUN (every_flipped_bit_is_noticed);
    RUN (a_wrong_key_leaves_nothing);
    RUN (a_cut_change_is_refused);
    RUN (a_change_is_at_most_64_KiB);
    RUN (a_bad_draft_is_not_signed);
    RUN (forms_of_a_body);
    RUN (forms_of_deps);
    RUN (forms_of_a_roster_body);
    RUN (unknown_keys_are_kept);
    RUN (a_key_instead_of_another_is_refused);
    RUN (a_content_comes_back);
    RUN (operations_are_1_to_1024);
    RUN (options_are_bounded);
    RUN (bad_contents_are_refused);
    return CHECK_END ();
}
