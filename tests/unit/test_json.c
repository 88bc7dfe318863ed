/* JSON in and out of the tool: canonical text, positions of what is wrong, leaves as trees, the
   parts of a file to import. */

#include "tests/check.h"
#include "tools/base64.h"
#include "tools/canon.h"
#include "tools/source.h"
#include "tools/tree.h"

#include <unistd.h>

static call_t call;

/* Reads a text as the tool does; its canonical form, or the sentence about what is wrong. */
static const char *canonical (const char *text)
{
    static strbuf_t out;
    json_t *json = NULL;
    strbuf_cut (&out, 0);
    if (jsonin_word (&call, text, &json) != SAKER_OK) {
        return call.sentence;
    }
    canon_add (&out, json);
    json_decref (json);
    return out.data;
}

static void integers_survive (void)
{
    CHECK_STR (canonical ("9223372036854775807"), "9223372036854775807");
    CHECK_STR (canonical ("-9223372036854775808"), "-9223372036854775808");
    CHECK (strstr (canonical ("{\"a\": 9223372036854775808}"),
                   "the integer 9223372036854775808 does not fit in 64 bits"));
    CHECK (strstr (canonical ("-9223372036854775809"), "does not fit in 64 bits"));
}

static void doubles_survive (void)
{
    CHECK_STR (canonical ("0.1"), "0.1");
    CHECK_STR (canonical ("1e2"), "100.0");
    CHECK_STR (canonical ("-0.0"), "-0.0");
    CHECK_STR (canonical ("1e300"), "1e+300");
    CHECK_STR (canonical ("5e-324"), "4.94065645841247e-324");
    CHECK (strstr (canonical ("1e999"), "does not fit in a double"));
    uint64_t state = check_seed ();
    for (int i = 0; i < 10000; i++) {
        uint64_t bits = check_random (&state);
        double number;
        memcpy (&number, &bits, sizeof number);
        if (number != number || number - number != 0.0) {
            continue;
        }
        strbuf_t text = {0};
        json_t *json = json_real (number);
        canon_add (&text, json);
        double back = strtod (text.data, NULL);
        bool same = memcmp (&back, &number, sizeof back) == 0;
        json_decref (json);
        strbuf_free (&text);
        CHECK (same);
    }
}

static void text_survives (void)
{
    CHECK_STR (canonical ("\"Zürich 東京 \\ud83d\\ude00\""), "\"Zürich 東京 😀\"");
    CHECK_STR (canonical ("\"\\u0000\\u001f\\n\\\"\\\\/\""), "\"\\u0000\\u001f\\n\\\"\\\\/\"");
    CHECK_STR (canonical ("\"b\\bf\\fn\\nr\\rt\\t\""), "\"b\\bf\\fn\\nr\\rt\\t\"");
    CHECK_STR (canonical ("\"\x7f\""), "\"\x7f\"");
}

static void keys_are_sorted (void)
{
    CHECK_STR (canonical (" {\"b\":1, \"a\":{\"d\":[],\"c\":null},\"ä\":true, \"B\":false} "),
               "{\"B\":false,\"a\":{\"c\":null,\"d\":[]},\"b\":1,\"ä\":true}");
}

static void wrong_text_is_named (void)
{
    CHECK (strstr (canonical ("{\"a\":1,\n \"b\" 2}"), "JSON:2:"));
    CHECK (strstr (canonical ("{\"a\":1,\"a\":2}"), "JSON:1:8: duplicate object key"));
    CHECK (strstr (canonical ("{\"a\": 123456789012345678901}"), "JSON:1:7: the integer"));
    CHECK (strstr (canonical ("{} {}"), "JSON:1:4: "));
    CHECK (strstr (canonical ("[1, 2"), "JSON:1:6: "));
    CHECK (strstr (canonical ("hello"), "a text needs its own quotes, as in '\"hello\"'"));
    CHECK (strstr (canonical (""), "JSON:1:1"));
    CHECK (strstr (canonical ("\"\xff\""), "JSON:1:"));
}

static void base64_round_trip (void)
{
    uint64_t state = check_seed ();
    for (size_t size = 0; size < 200; size++) {
        uint8_t bytes[200], back[210];
        char text[300];
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t) check_random (&state);
        }
        size_t back_size = 0;
        base64_encode (bytes, size, text);
        CHECK (base64_decode (text, BASE64_TEXT_SIZE (size), back, &back_size));
        CHECK_INT (back_size, size);
        CHECK (memcmp (bytes, back, size) == 0);
    }
    static const char *const wrong[] = {
        "A", "AA==A", "AB==", "AAB=", "A===", "====", "AA=A", "AA=\n", "AA==AAAA"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bytes[16];
        size_t size;
        CHECK (!base64_decode (wrong[i], strlen (wrong[i]), bytes, &size));
    }
}

/* ---- trees ---- */

static saker_leaf_t leaf (const char *pointer, saker_cell_t cell, int64_t number)
{
    saker_leaf_t made = {.document = "d", .pointer = pointer, .cell = cell, .shown = true};
    made.value.type = cell == SAKER_EMPTY_MAP ? SAKER_MAP : SAKER_INT;
    made.value.as.integer = number;
    return made;
}

static const char *tree_text (bool marked, const saker_leaf_t *leaves, size_t count)
{
    static strbuf_t out;
    tree_t tree = {.marked = marked};
    for (size_t i = 0; i < count; i++) {
        tree_add (&tree, &leaves[i]);
    }
    json_t *json = tree_take (&tree);
    strbuf_cut (&out, 0);
    canon_add (&out, json);
    json_decref (json);
    tree_free (&tree);
    return json ? out.data : "";
}

static void leaves_make_a_tree (void)
{
    saker_leaf_t leaves[] = {leaf ("/b/x~1y", SAKER_REGISTER, 1), leaf ("/b/~0", SAKER_LWW, 2),
                             leaf ("/c", SAKER_COUNTER, 3),       leaf ("/e", SAKER_EMPTY_MAP, 0),
                             leaf ("/s", SAKER_MEMBER, 10),       leaf ("/s", SAKER_MEMBER, 9),
                             leaf ("/s", SAKER_MEMBER, 9),        leaf ("/", SAKER_REGISTER, 4)};
    CHECK_STR (tree_text (false, leaves, 8),
               "{\"\":4,\"b\":{\"x/y\":1,\"~\":2},\"c\":3,\"e\":{},\"s\":[9,10]}");
    CHECK_STR (tree_text (true, leaves, 8),
               "{\"\":4,\"b\":{\"x/y\":1,\"~\":2},\"c\":{\"$counter\":3},\"e\":{},"
               "\"s\":{\"$set\":[9,10]}}");
}

static void rivals_are_not_shown (void)
{
    saker_leaf_t leaves[] = {leaf ("/a", SAKER_REGISTER, 1), leaf ("/a", SAKER_REGISTER, 2)};
    leaves[1].rival = true;
    leaves[1].shown = false;
    CHECK_STR (tree_text (false, leaves, 2), "{\"a\":1}");
}

static void top_may_be_a_value (void)
{
    saker_leaf_t number = leaf ("", SAKER_REGISTER, 7), map = leaf ("", SAKER_EMPTY_MAP, 0);
    saker_leaf_t members[] = {leaf ("", SAKER_MEMBER, 2), leaf ("", SAKER_MEMBER, 1)};
    CHECK_STR (tree_text (false, &number, 1), "7");
    CHECK_STR (tree_text (false, &map, 1), "{}");
    CHECK_STR (tree_text (true, members, 2), "{\"$set\":[1,2]}");
}

static void keys_like_marks_are_escaped (void)
{
    saker_leaf_t leaves[] = {leaf ("/$set", SAKER_REGISTER, 1), leaf ("/$$bytes", SAKER_LWW, 2),
                             leaf ("/$ref", SAKER_REGISTER, 3), leaf ("/set", SAKER_LWW, 4)};
    CHECK_STR (tree_text (true, leaves, 4), "{\"$$$bytes\":2,\"$$set\":1,\"$ref\":3,\"set\":4}");
}

static void bytes_are_base64 (void)
{
    saker_leaf_t bytes = leaf ("/a", SAKER_REGISTER, 0);
    bytes.value.type = SAKER_BYTES;
    bytes.value.as.string.data = "\0\1\2";
    bytes.value.as.string.size = 3;
    CHECK_STR (tree_text (false, &bytes, 1), "{\"a\":{\"$bytes\":\"AAEC\"}}");
}

/* ---- files ---- */

static size_t skipped;

static void count_skip (call_t *skipping, void *argument)
{
    (void) skipping;
    (void) argument;
    skipped++;
}

/* The parts of a text, joined by '|', or the sentence. */
static const char *parts (const char *text, const char *pointer, bool keep_going)
{
    static char out[1024];
    char name[] = "/tmp/saker-test-XXXXXX";
    int file = mkstemp (name);
    if (file < 0 || write (file, text, strlen (text)) != (ssize_t) strlen (text)) {
        return "cannot write";
    }
    close (file);
    source_t source = {0};
    skipped = 0;
    saker_err_t error =
        source_load (&call, &source, name, pointer, keep_going ? count_skip : NULL, NULL);
    out[0] = 0;
    for (size_t i = 0; i < source.parts_count && error == SAKER_OK; i++) {
        size_t end = strlen (out);
        snprintf (out + end, sizeof out - end, "%s%.*s", i ? "|" : "", (int) source.parts[i].size,
                  source.text + source.parts[i].offset);
    }
    if (error != SAKER_OK) {
        snprintf (out, sizeof out, "%s", call.sentence + strlen (name));
    }
    source_free (&source);
    unlink (name);
    return out;
}

static void parts_are_found (void)
{
    CHECK_STR (parts ("{\"a\":1}\n\n  \n{\"a\":2}", NULL, false), "{\"a\":1}|{\"a\":2}");
    CHECK_STR (parts (" [{\"a\":\"]}\"},{\"b\":[1,{}]}]\n", NULL, false),
               "{\"a\":\"]}\"}|{\"b\":[1,{}]}");
    CHECK_STR (parts ("{\"x\":[],\"y\\u002d1\":{\"z\":[1, 2 ]}}", "/y-1/z", false), "1|2 ");
    CHECK_STR (parts ("{\"x\":[[0],[1,2]]}", "/x/1", false), "1|2");
    CHECK_STR (parts ("[]", NULL, false), "");
    CHECK_STR (parts ("", NULL, false), "");
}

static void missing_parts_are_named (void)
{
    CHECK (strstr (parts ("{\"x\":{}}", "/y", false), "nothing at /y"));
    CHECK (strstr (parts ("{\"x\":{}}", "/x", false), "there is no array at /x"));
    CHECK (strstr (parts ("{\"x\":[[0]]}", "/x/1", false), "nothing at /x/1"));
}

static void broken_parts_are_named_or_skipped (void)
{
    CHECK (strncmp (parts ("{\"a\":1}\n{\"ä\":,}\n{}", NULL, false), ":2:6: ", 6) == 0);
    CHECK_STR (parts ("{\"a\":1}\n{\"a\":,}\n{}", NULL, true), "{\"a\":1}|{}");
    CHECK_INT (skipped, 1);
    CHECK (strncmp (parts ("[{\"a\":1},\n {\"a\" 2},{}]", NULL, false), ":2:", 3) == 0);
    CHECK_STR (parts ("[{\"a\":1},\n {\"a\" 2},{}]", NULL, true), "{\"a\":1}|{}");
    CHECK_INT (skipped, 1);
    CHECK_STR (parts ("[{\"a\":1},{\"b\":\"", NULL, true), "{\"a\":1}");
    CHECK_STR (parts ("[{\"a\":1},{\"b\\", NULL, true), "{\"a\":1}");
}

static void random_bytes_do_no_harm (void)
{
    static const char letters[] = "[]{}\",:\\a1 \n";
    uint64_t state = check_seed ();
    for (int i = 0; i < 2000; i++) {
        char text[40];
        size_t size = check_random (&state) % (sizeof text - 1);
        for (size_t j = 0; j < size; j++) {
            text[j] = letters[check_random (&state) % (sizeof letters - 1)];
        }
        text[size] = 0;
        parts (text, i % 2 ? NULL : "/a/1", i % 3);
    }
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (integers_survive);
    RUN (doubles_survive);
    RUN (text_survives);
    RUN (keys_are_sorted);
    RUN (wrong_text_is_named);
    RUN (base64_round_trip);
    RUN (leaves_make_a_tree);
    RUN (rivals_are_not_shown);
    RUN (top_may_be_a_value);
    RUN (keys_like_marks_are_escaped);
    RUN (bytes_are_base64);
    RUN (parts_are_found);
    RUN (missing_parts_are_named);
    RUN (broken_parts_are_named_or_skipped);
    RUN (random_bytes_do_no_harm);
    return CHECK_END ();
}
