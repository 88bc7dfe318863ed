/* Patches of the gateway: the examples of RFC 7396 and RFC 6902, what is refused, and the way from
   what is there to what is wanted. */

#include "tests/check.h"

#include "gateway/cursor.h"
#include "gateway/difference.h"
#include "gateway/patch.h"

#include "canon.h"

static call_t call;

/* Owned by the caller. "-": nothing. */
static json_t *read_json (const char *text)
{
    return strcmp (text, "-") == 0 ? NULL : json_loads (text, JSON_DECODE_ANY, NULL);
}

/* Canonical, and freed. */
static const char *show (json_t *json)
{
    static strbuf_t out;
    strbuf_cut (&out, 0);
    strbuf_text (&out, "");
    if (json) {
        canon_add (&out, json);
    }
    json_decref (json);
    return out.data;
}

static const char *merged (const char *target, const char *patch)
{
    json_t *before = read_json (target), *change = read_json (patch);
    const char *text = show (patch_merge (before, change));
    json_decref (before);
    json_decref (change);
    return text;
}

/* RFC 7396, appendix A. */
static void merge_patches_do_what_the_rfc_says (void)
{
    static const char *const examples[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
        {"{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        {"-", "{\"a\":{\"b\":1,\"c\":null}}", "{\"a\":{\"b\":1}}"},
        /* section 3 */
        {"{\"title\":\"Goodbye!\",\"author\":{\"givenName\":\"John\",\"familyName\":\"Doe\"},"
         "\"tags\":[\"example\",\"sample\"],\"content\":\"This will be unchanged\"}",
         "{\"title\":\"Hello!\",\"phoneNumber\":\"+01-123-456-7890\","
         "\"author\":{\"familyName\":null},\"tags\":[\"example\"]}",
         "{\"author\":{\"givenName\":\"John\"},\"content\":\"This will be unchanged\","
         "\"phoneNumber\":\"+01-123-456-7890\",\"tags\":[\"example\"],\"title\":\"Hello!\"}"},
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        CHECK_STR (merged (examples[i][0], examples[i][1]), examples[i][2]);
    }
}

static bool touched; /* a patch has changed its target */

/* The result, or the sentence. */
static const char *patched (const char *target, const char *patch, saker_err_t *error)
{
    json_t *before = read_json (target), *change = read_json (patch), *after = NULL;
    *error = patch_apply (&call, before, change, &after);
    json_t *untouched = read_json (target);
    touched = touched || (before != untouched && !json_equal (before, untouched));
    json_decref (untouched);
    json_decref (before);
    json_decref (change);
    return *error == SAKER_OK ? show (after) : call.sentence;
}

typedef struct example_t {
    const char *target, *patch;
    saker_err_t error;
    const char *result; /* or a part of the sentence */
} example_t;

static void run_examples (const example_t *examples, size_t count)
{
    touched = false;
    for (size_t i = 0; i < count; i++) {
        saker_err_t error;
        const char *text = patched (examples[i].target, examples[i].patch, &error);
        CHECK_INT (error, examples[i].error);
        if (examples[i].error == SAKER_OK) {
            CHECK_STR (text, examples[i].result);
        } else if (!strstr (text, examples[i].result)) {
            CHECK_FAIL ("example %zu: \"%s\", not \"%s\"", i, text, examples[i].result);
        }
    }
    CHECK (!touched);
}

/* RFC 6902, appendix A, by its numbers. */
static void json_patches_do_what_the_rfc_says (void)
{
    static const example_t examples[] = {
        /* A.1 */ {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
                   SAKER_OK, "{\"baz\":\"qux\",\"foo\":\"bar\"}"},
        /* A.2 */
        {"{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
         SAKER_OK, "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"},
        /* A.3 */
        {"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]", SAKER_OK,
         "{\"foo\":\"bar\"}"},
        /* A.4 */
        {"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
         SAKER_OK, "{\"foo\":[\"bar\",\"baz\"]}"},
        /* A.5 */
        {"{\"baz\":\"qux\",\"foo\":\"bar\"}",
         "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]", SAKER_OK,
         "{\"baz\":\"boo\",\"foo\":\"bar\"}"},
        /* A.6 */
        {"{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
         "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]", SAKER_OK,
         "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}"},
        /* A.7 */
        {"{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
         "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]", SAKER_OK,
         "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}"},
        /* A.8 */
        {"{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
         "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},"
         "{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",
         SAKER_OK, "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}"},
        /* A.9 */
        {"{\"baz\":\"qux\"}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]",
         SAKER_EDIFFER, "does not hold at /baz"},
        /* A.10 */
        {"{\"foo\":\"bar\"}",
         "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]", SAKER_OK,
         "{\"child\":{\"grandchild\":{}},\"foo\":\"bar\"}"},
        /* A.11 */
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
         SAKER_OK, "{\"baz\":\"qux\",\"foo\":\"bar\"}"},
        /* A.12 */
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]",
         SAKER_ENOTFOUND, "nothing to hold /baz/bat"},
        /* A.14 */
        {"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]", SAKER_OK,
         "{\"/\":9,\"~1\":10}"},
        /* A.15 */
        {"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]",
         SAKER_EDIFFER, "does not hold"},
        /* A.16 */
        {"{\"foo\":[\"bar\"]}",
         "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]", SAKER_OK,
         "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}"},
    };
    run_examples (examples, sizeof examples / sizeof *examples);
}

static void wrong_patches_are_refused (void)
{
    static const example_t examples[] = {
        {"{}", "{}", SAKER_EINPUT, "is an array"},
        {"{}", "[1]", SAKER_EINPUT, "\"op\" is"},
        {"{}", "[{\"op\":\"add\",\"value\":1}]", SAKER_EINPUT, "\"path\" is missing"},
        {"{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", SAKER_EINPUT, "\"value\" is missing"},
        {"{}", "[{\"op\":\"move\",\"path\":\"/a\"}]", SAKER_EINPUT, "\"from\" is missing"},
        {"{}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", SAKER_EINPUT, "no JSON Pointer: a"},
        {"{}", "[{\"op\":\"add\",\"path\":\"/~2\",\"value\":1}]", SAKER_EINPUT, "no JSON Pointer"},
        {"{}", "[{\"op\":\"add\",\"path\":\"/a~\",\"value\":1}]", SAKER_EINPUT, "no JSON Pointer"},
        {"{\"a\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", SAKER_EINPUT,
         "into itself"},
        {"{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", SAKER_OK, "{\"a\":1}"},
        {"{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/ab\"}]", SAKER_OK,
         "{\"ab\":1}"},
        {"{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/2\",\"value\":1}]", SAKER_ENOTFOUND,
         "no such place"},
        {"{\"a\":[1,2]}", "[{\"op\":\"remove\",\"path\":\"/a/01\"}]", SAKER_ENOTFOUND, "/a/01"},
        {"{\"a\":[1,2]}", "[{\"op\":\"remove\",\"path\":\"/a/-\"}]", SAKER_ENOTFOUND, "/a/-"},
        {"{\"a\":[1,2]}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":[1.0,2]}]", SAKER_OK,
         "{\"a\":[1,2]}"},
        {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"\"}]", SAKER_OK, ""},
        {"-", "[{\"op\":\"test\",\"path\":\"\",\"value\":null}]", SAKER_EDIFFER, "does not hold"},
        {"-", "[{\"op\":\"add\",\"path\":\"\",\"value\":{}}]", SAKER_OK, "{}"},
        {"{\"\":1}", "[{\"op\":\"replace\",\"path\":\"/\",\"value\":2}]", SAKER_OK, "{\"\":2}"},
    };
    run_examples (examples, sizeof examples / sizeof *examples);
}

/* Each copy doubles the whole: 40 of them would fill any memory. */
static void copies_are_bounded (void)
{
    json_t *before = read_json ("{\"a\":1}"), *patch = json_array (), *after = NULL;
    for (int i = 0; i < 40; i++) {
        char path[16];
        snprintf (path, sizeof path, "/c%d", i);
        json_array_append_new (patch,
                               json_pack ("{s:s,s:s,s:s}", "op", "copy", "from", "", "path", path));
    }
    CHECK_INT (patch_apply (&call, before, patch, &after), SAKER_ELIMIT);
    CHECK (strstr (call.sentence, "copies too much"));
    json_decref (before);
    json_decref (patch);
}

/* ---- differences */

/* How many operations lead from one to the other. */
static size_t steps (const char *marked, const char *plain)
{
    size_t count = SIZE_MAX;
    json_t *before = read_json (marked), *wanted = read_json (plain);
    json_t *after = wanted ? difference_mark (before, wanted) : NULL;
    saker_batch_t *batch = saker_batch_new ("c");
    if (difference_fill (&call, batch, "d", "", before, after) == SAKER_OK) {
        count = saker_batch_count (batch);
    }
    saker_batch_destroy (&batch);
    json_decref (before);
    json_decref (wanted);
    json_decref (after);
    return count;
}

static const char *marked (const char *before, const char *plain)
{
    json_t *old = read_json (before), *wanted = read_json (plain);
    const char *text = show (difference_mark (old, wanted));
    json_decref (old);
    json_decref (wanted);
    return text;
}

static void what_is_a_set_or_a_counter_stays_one (void)
{
    static const char before[] = "{\"n\":{\"$counter\":3},\"s\":{\"$set\":[1,2]},\"m\":{\"x\":1}}";
    CHECK_STR (marked (before, "{\"n\":5,\"s\":[2,3],\"m\":{\"x\":[1]},\"q\":[1]}"),
               "{\"m\":{\"x\":[1]},\"n\":{\"$counter\":5},\"q\":[1],\"s\":{\"$set\":[2,3]}}");
    CHECK_STR (marked (before, "{\"n\":\"text\",\"s\":1}"), "{\"n\":\"text\",\"s\":1}");
    CHECK_STR (marked ("-", "{\"s\":[1]}"), "{\"s\":[1]}");
}

static void only_what_differs_is_written (void)
{
    static const char before[] = "{\"n\":{\"$counter\":3},\"s\":{\"$set\":[1,2]},\"m\":{\"x\":1}}";
    CHECK_INT (steps (before, "{\"n\":3,\"s\":[1,2],\"m\":{\"x\":1}}"), 0);
    CHECK_INT (steps (before, "{\"n\":4,\"s\":[1,2],\"m\":{\"x\":1}}"), 1);
    CHECK_INT (steps (before, "{\"n\":3,\"s\":[2,3],\"m\":{\"x\":1}}"), 2);
    CHECK_INT (steps (before, "{\"n\":3,\"s\":[1,2],\"m\":{\"x\":2}}"), 1);
    CHECK_INT (steps (before, "{\"n\":3,\"s\":[1,2],\"m\":{\"y\":1}}"), 2);
    CHECK_INT (steps (before, "-"), 1);
    CHECK_INT (steps (before, "{\"n\":3,\"s\":[1,2],\"m\":{}}"), 2); /* it stays a map */
}

static void a_list_is_refused (void)
{
    json_t *after = read_json ("{\"l\":[1]}");
    saker_batch_t *batch = saker_batch_new ("c");
    CHECK_INT (difference_fill (&call, batch, "d", "", NULL, after), SAKER_EINPUT);
    CHECK (strstr (call.sentence, "an array at /l"));
    saker_batch_destroy (&batch);
    json_decref (after);
}

/* ---- cursors */

static void cursors_come_back (void)
{
    static const char *const wrong[] = {"",
                                        "-1",
                                        "00112233445566778899aabbccddeeff",
                                        "00112233445566778899aabbccddeeff-",
                                        "00112233445566778899aabbccddeeff--1",
                                        "00112233445566778899aabbccddeeff-1 ",
                                        "00112233445566778899AABBCCDDEEFF-1",
                                        "00112233445566778899aabbccddeeff0-1",
                                        "00112233445566778899aabbccddeeff-18446744073709551616"};
    static const char right[] = "00112233445566778899aabbccddeeff-18446744073709551615";
    char text[CURSOR_TEXT_SIZE];
    saker_cursor_t cursor;
    CHECK (cursor_parse (right, &cursor));
    cursor_text (&cursor, text);
    CHECK_STR (text, right);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK (!cursor_parse (wrong[i], &cursor));
    }
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (merge_patches_do_what_the_rfc_says);
    RUN (json_patches_do_what_the_rfc_says);
    RUN (wrong_patches_are_refused);
    RUN (copies_are_bounded);
    RUN (what_is_a_set_or_a_counter_stays_one);
    RUN (only_what_differs_is_written);
    RUN (a_list_is_refused);
    RUN (cursors_come_back);
    return CHECK_END ();
}
