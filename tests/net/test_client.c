/* The public client calls against api.c over a real replica, through a real socket. */

#include "tests/check.h"
#include "tests/lib/local_server.h"

#include <signal.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPEN_MS 10000

typedef struct fixture_t {
    pair_t pair;
    local_server_t server;
    saker_t *peer;
} fixture_t;

static bool begin (fixture_t *fixture)
{
    static const skr_id_t roster;
    memset (fixture, 0, sizeof *fixture);
    bool ready = pair_open (&fixture->pair)
                 && pair_sync (fixture->pair.b, fixture->pair.a, &roster) == SAKER_OK
                 && local_server_start (&fixture->server, &fixture->pair, fixture->pair.store_a);
    if (ready && saker_open (&fixture->peer, fixture->pair.store_a, OPEN_MS) != SAKER_OK) {
        printf ("open: %s\n", saker_error_text ());
        return false;
    }
    return ready;
}

static void end (fixture_t *fixture)
{
    saker_close (&fixture->peer);
    local_server_stop (&fixture->server);
    pair_close (&fixture->pair);
}

static saker_value_t text_of (const char *text)
{
    return (saker_value_t){.type = SAKER_TEXT, .as.string = {text, strlen (text)}};
}

static saker_err_t set_text (saker_t *peer, const char *collection, const char *document,
                             const char *pointer, const char *text)
{
    saker_batch_t *batch = saker_batch_new (collection);
    const saker_value_t value = text_of (text);
    saker_err_t error = saker_batch_set (batch, document, pointer, &value);
    error = error == SAKER_OK ? saker_write (peer, batch, NULL) : error;
    saker_batch_destroy (&batch);
    return error;
}

/* ---- what was read */

typedef struct seen_t {
    size_t leaves, documents, events;
    char last[256]; /* document */
    char words[4096];
    saker_t *peer; /* to be used in the callback */
    saker_err_t error;
    size_t stop_after;
} seen_t;

static const char *say_value (const saker_value_t *value, char text[64])
{
    switch (value->type) {
    case SAKER_NULL:
        return "null";
    case SAKER_BOOL:
        return value->as.boolean ? "true" : "false";
    case SAKER_INT:
        snprintf (text, 64, "%lld", (long long) value->as.integer);
        return text;
    case SAKER_DOUBLE:
        snprintf (text, 64, "%.17g", value->as.number);
        return text;
    case SAKER_TEXT:
    case SAKER_BYTES:
        snprintf (text, 64, "%c:%.*s", value->type == SAKER_TEXT ? 't' : 'b',
                  (int) value->as.string.size, value->as.string.data);
        return text;
    case SAKER_MAP:
        break;
    }
    return "{}";
}

/* Adds "/pointer cell value" to the words. */
static int see_leaf (const saker_leaf_t *leaf, void *argument)
{
    seen_t *seen = argument;
    char text[64];
    size_t used = strlen (seen->words);
    seen->documents += strcmp (seen->last, leaf->document) != 0;
    snprintf (seen->last, sizeof seen->last, "%s", leaf->document);
    snprintf (seen->words + used, sizeof seen->words - used, "%s %d %s%s; ", leaf->pointer,
              (int) leaf->cell, say_value (&leaf->value, text), leaf->rival ? " rival" : "");
    seen->leaves++;
    return seen->stop_after && seen->leaves >= seen->stop_after;
}

static int count_leaf (const saker_leaf_t *leaf, void *argument)
{
    seen_t *seen = argument;
    seen->documents += strcmp (seen->last, leaf->document) != 0;
    snprintf (seen->last, sizeof seen->last, "%s", leaf->document);
    seen->leaves++;
    return 0;
}

/* ---- opening */

static void what_cannot_be_opened_is_said (void)
{
    pair_t pair;
    saker_t *peer = (saker_t *) &pair;
    char none[128];
    CHECK (pair_open (&pair));
    snprintf (none, sizeof none, "%s/none", pair.folder);
    CHECK_ERR (saker_open (&peer, none, OPEN_MS), SAKER_ENOTFOUND,
               "is not a saker store: make one with `saker init` or `saker join`");
    CHECK (!peer);
    CHECK_ERR (saker_open (&peer, pair.store_a, OPEN_MS), SAKER_EUNREACHABLE,
               "no daemon answers on");
    CHECK (strstr (saker_error_text (), "start it with: sakerd --store"));
    pair_close (&pair);
}

static void a_daemon_that_is_gone_is_not_waited_for_long (void)
{
    static fixture_t fixture; /* its thread goes on when a check fails */
    saker_t *peer = NULL;
    saker_cursor_t cursor;
    CHECK (begin (&fixture));
    CHECK_OK (saker_now (fixture.peer, &cursor));
    atomic_store (&fixture.server.mute, true);
    CHECK_ERR (saker_open (&peer, fixture.pair.store_a, 200), SAKER_EUNREACHABLE, "no daemon");
    local_server_stop (&fixture.server); /* there is none, or it goes away just then */
    CHECK_ERR (saker_now (fixture.peer, &cursor), SAKER_EUNREACHABLE, "daemon");
    CHECK (local_server_start (&fixture.server, &fixture.pair, fixture.pair.store_a));
    CHECK_OK (saker_now (fixture.peer, &cursor)); /* the same handle */
    end (&fixture);
}

static void *stop_soon (void *argument)
{
    usleep (100000);
    local_server_stop (argument);
    return NULL;
}

static void a_daemon_that_goes_away_is_noticed (void)
{
    static fixture_t fixture;
    seen_t seen = {.leaves = 0};
    pthread_t thread;
    CHECK (begin (&fixture));
    CHECK_OK (set_text (fixture.peer, "shots", "d", "/a", "1"));
    CHECK (pthread_create (&thread, NULL, stop_soon, &fixture.server) == 0);
    time_t start = time (NULL);
    CHECK_ERR (saker_wait (fixture.peer, NULL, 60000), SAKER_EUNREACHABLE, "went away");
    CHECK (time (NULL) - start < 30);
    pthread_join (thread, NULL);
    CHECK (local_server_start (&fixture.server, &fixture.pair, fixture.pair.store_a));
    CHECK_OK (set_text (fixture.peer, "shots", "d", "/a", "1"));
    CHECK_OK (saker_read (fixture.peer, "shots", "d", "", see_leaf, &seen));
    end (&fixture);
}

static void a_late_answer_is_dropped (void)
{
    static fixture_t fixture;
    saker_cursor_t cursor;
    seen_t seen = {.leaves = 0};
    CHECK (begin (&fixture));
    CHECK_OK (set_text (fixture.peer, "shots", "d", "/a", "1"));
    atomic_store (&fixture.server.mute, true);
    CHECK_ERR (saker_wait (fixture.peer, "alpha", 0), SAKER_ETIMEOUT, "did not answer");
    atomic_store (&fixture.server.mute, false);
    CHECK_OK (saker_now (fixture.peer, &cursor));
    CHECK_OK (saker_read (fixture.peer, "shots", "d", "", see_leaf, &seen));
    CHECK_INT (seen.leaves, 1);
    end (&fixture);
}

/* sun_path holds 108 bytes; the store's name does not fit. */
static void a_long_path_is_no_trouble (void)
{
    static fixture_t fixture;
    char store[512];
    memset (&fixture, 0, sizeof fixture);
    CHECK (pair_open (&fixture.pair));
    snprintf (store, sizeof store, "%s/%0150d", fixture.pair.folder, 1);
    CHECK (rename (fixture.pair.store_a, store) == 0);
    CHECK (local_server_start (&fixture.server, &fixture.pair, store));
    CHECK_OK (saker_open (&fixture.peer, store, OPEN_MS));
    CHECK_OK (set_text (fixture.peer, "shots", "d", "/a", "1"));
    end (&fixture);
}

static void the_host_is_left_alone (void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGCHLD};
    static fixture_t fixture;
    struct sigaction before[5], after;
    sigset_t mask_before, mask_after;
    for (int i = 0; i < 5; i++) {
        sigaction (signals[i], NULL, &before[i]);
    }
    sigprocmask (SIG_SETMASK, NULL, &mask_before);
    CHECK (begin (&fixture));
    CHECK_OK (set_text (fixture.peer, "shots", "d", "/a", "1"));
    end (&fixture);
    sigprocmask (SIG_SETMASK, NULL, &mask_after);
    for (int i = 0; i < 5; i++) {
        sigaction (signals[i], NULL, &after);
        CHECK (after.sa_handler == before[i].sa_handler);
        CHECK_INT (sigismember (&mask_after, signals[i]), sigismember (&mask_before, signals[i]));
    }
}

/* The exit status tells which step was wrong. */
static void run_child (saker_t *peer, const char *store)
{
    saker_cursor_t cursor;
    saker_t *own = NULL;
    int status = saker_now (peer, &cursor) != SAKER_EUSAGE        ? 1
                 : !strstr (saker_error_text (), "opens its own") ? 2
                                                                  : 0;
    saker_close (&peer);
    if (status == 0 && saker_open (&own, store, OPEN_MS) != SAKER_OK) {
        status = 3;
    }
    if (status == 0 && saker_now (own, &cursor) != SAKER_OK) {
        status = 4;
    }
    saker_close (&own);
    _exit (status);
}

static void a_forked_child_opens_its_own (void)
{
    static fixture_t fixture;
    saker_cursor_t cursor;
    int status = -1;
#ifdef __SANITIZE_THREAD__
    CHECK_SKIP ("the thread sanitizer allows no threads after a fork");
#endif
    CHECK (begin (&fixture));
    fflush (stdout);
    pid_t child = fork ();
    if (child == 0) {
        run_child (fixture.peer, fixture.pair.store_a);
    }
    CHECK (waitpid (child, &status, 0) == child);
    CHECK_INT (WIFEXITED (status) ? WEXITSTATUS (status) : -1, 0);
    CHECK_OK (saker_now (fixture.peer, &cursor));
    end (&fixture);
}

/* ---- writing and reading */

static saker_err_t fill_all (saker_batch_t *batch)
{
    const saker_value_t bytes = {.type = SAKER_BYTES, .as.string = {"\x01\x02", 2}};
    const saker_value_t number = {.type = SAKER_INT, .as.integer = INT64_MIN};
    const saker_value_t real = {.type = SAKER_DOUBLE, .as.number = 0.1};
    const saker_value_t yes = {.type = SAKER_BOOL, .as.boolean = true};
    const saker_value_t null = {.type = SAKER_NULL};
    const saker_value_t text = text_of ("gr\xc3\xbc\xc3\x9f"
                                        "e");
    SKR_TRY (saker_batch_set (batch, "d", "/a~1b", &text));
    SKR_TRY (saker_batch_set (batch, "d", "/b", &bytes));
    SKR_TRY (saker_batch_set_lww (batch, "d", "/c", &number));
    SKR_TRY (saker_batch_set (batch, "d", "/d/x", &real));
    SKR_TRY (saker_batch_set (batch, "d", "/d/y", &yes));
    SKR_TRY (saker_batch_set (batch, "d", "/d/z", &null));
    SKR_TRY (saker_batch_incr (batch, "d", "/e", 5));
    SKR_TRY (saker_batch_incr (batch, "d", "/e", -7));
    SKR_TRY (saker_batch_add (batch, "d", "/f", &text));
    SKR_TRY (saker_batch_add (batch, "d", "/f", &number));
    SKR_TRY (saker_batch_remove (batch, "d", "/f", &number));
    SKR_TRY (saker_batch_set_map (batch, "d", "/g"));
    SKR_TRY (saker_batch_set (batch, "d", "/h", &yes));
    return saker_batch_delete (batch, "d", "/h");
}

static void every_kind_comes_back (void)
{
    static fixture_t fixture;
    saker_receipt_t receipt;
    seen_t seen = {.leaves = 0}, part = {.leaves = 0};
    saker_batch_t *batch = saker_batch_new ("shots");
    CHECK (begin (&fixture));
    CHECK_OK (fill_all (batch));
    CHECK_INT (saker_batch_count (batch), 14);
    CHECK_OK (saker_write (fixture.peer, batch, &receipt));
    CHECK_INT (receipt.seq, 1);
    CHECK (!receipt.repeated);
    saker_batch_destroy (&batch);
    CHECK_OK (saker_read (fixture.peer, "shots", "d", "", see_leaf, &seen));
    CHECK_STR (seen.words,
               "/b 1 b:\x01\x02; /c 2 -9223372036854775808; /d/x 1 0.10000000000000001; "
               "/d/y 1 true; /d/z 1 null; /e 3 -2; /f 4 t:gr\xc3\xbc\xc3\x9f"
               "e; "
               "/g 5 {}; /a~1b 1 t:gr\xc3\xbc\xc3\x9f"
               "e; ");
    CHECK_OK (saker_read (fixture.peer, "shots", "d", "/d", see_leaf, &part));
    CHECK_INT (part.leaves, 3);
    CHECK_ERR (saker_read (fixture.peer, "shots", "d", "/none", see_leaf, &part), SAKER_ENOTFOUND,
               "shots/d /none");
    CHECK_ERR (saker_read (fixture.peer, "shots", "d", "none", see_leaf, &part), SAKER_EINPUT,
               "JSON Pointer");
    CHECK_ERR (saker_read (fixture.peer, "none", "d", "", see_leaf, &part), SAKER_ENOTFOUND,
               "none");
    end (&fixture);
}

static void a_callback_ends_the_read (void)
{
    static fixture_t fixture;
    seen_t seen = {.stop_after = 2};
    saker_batch_t *batch = saker_batch_new ("shots");
    CHECK (begin (&fixture));
    CHECK_OK (fill_all (batch));
    CHECK_OK (saker_write (fixture.peer, batch, NULL));
    saker_batch_destroy (&batch);
    CHECK_OK (saker_read (fixture.peer, "shots", "d", "", see_leaf, &seen));
    CHECK_INT (seen.leaves, 2);
    end (&fixture);
}

static void what_a_batch_refuses (void)
{
    saker_batch_t *batch = saker_batch_new ("shots");
    char id[300];
    const saker_value_t text = text_of ("x"), broken = text_of ("\xff");
    const saker_value_t map = {.type = SAKER_MAP};
    memset (id, 'd', sizeof id - 1);
    id[299] = 0;
    CHECK_ERR (saker_batch_set (batch, "", "/a", &text), SAKER_EINPUT, "document id");
    CHECK_ERR (saker_batch_set (batch, id, "/a", &text), SAKER_ELIMIT, "document id");
    CHECK_ERR (saker_batch_set (batch, "\xff", "/a", &text), SAKER_EINPUT, "UTF-8");
    CHECK_ERR (saker_batch_set (batch, "d", "a", &text), SAKER_EINPUT, "JSON Pointer");
    CHECK_ERR (saker_batch_set (batch, "d", "/a", &broken), SAKER_EINPUT, "UTF-8");
    CHECK_ERR (saker_batch_set (batch, "d", "/a", &map), SAKER_EINPUT, "type");
    CHECK_ERR (saker_batch_replace_end (batch), SAKER_EUSAGE, "no replacement");
    CHECK_OK (saker_batch_replace (batch, "d", ""));
    CHECK_ERR (saker_batch_replace (batch, "d", ""), SAKER_EUSAGE, "end it first");
    CHECK_ERR (saker_batch_incr (batch, "d", "/a", 1), SAKER_EUSAGE, "end it first");
    CHECK_ERR (saker_write (NULL, batch, NULL), SAKER_EUSAGE, "saker_batch_replace_end");
    CHECK_OK (saker_batch_replace_end (batch));
    CHECK_ERR (saker_batch_operation (batch, id, 0), SAKER_EINPUT, "operation id");
    CHECK_ERR (saker_batch_operation (batch, id, 65), SAKER_EINPUT, "operation id");
    size_t bytes = saker_batch_bytes (batch);
    saker_err_t error = SAKER_OK;
    while (error == SAKER_OK) {
        error = saker_batch_set (batch, "d", "/a", &text);
        CHECK (saker_batch_bytes (batch) <= 1 << 20);
    }
    CHECK_ERR (error, SAKER_ELIMIT, "write it and begin another");
    CHECK (saker_batch_bytes (batch) > bytes);
    saker_batch_destroy (&batch);
    saker_batch_destroy (&batch);
}

static void an_operation_id_writes_once (void)
{
    static fixture_t fixture;
    saker_receipt_t first, second;
    saker_batch_t *batch = saker_batch_new ("shots");
    CHECK (begin (&fixture));
    CHECK_OK (saker_batch_operation (batch, "once", 4));
    CHECK_OK (saker_batch_incr (batch, "d", "/n", 1));
    CHECK_OK (saker_write (fixture.peer, batch, &first));
    CHECK_OK (saker_write (fixture.peer, batch, &second));
    CHECK (!first.repeated && second.repeated);
    CHECK_INT (second.seq, first.seq);
    saker_batch_destroy (&batch);
    end (&fixture);
}

static void a_note_comes_back_with_a_repeat (void)
{
    static fixture_t fixture;
    static const uint8_t first_note[SAKER_NOTE_BYTES] = {1, 2, 3},
                         other_note[SAKER_NOTE_BYTES] = {4};
    saker_receipt_t receipt;
    saker_batch_t *batch = saker_batch_new ("shots");
    CHECK (begin (&fixture));
    CHECK_OK (saker_batch_operation (batch, "once", 4));
    CHECK_OK (saker_batch_note (batch, first_note));
    CHECK_OK (saker_batch_incr (batch, "d", "/n", 1));
    CHECK_OK (saker_write (fixture.peer, batch, &receipt));
    CHECK (!receipt.repeated && memcmp (receipt.note, first_note, sizeof first_note) == 0);
    CHECK_OK (saker_batch_note (batch, other_note));
    CHECK_OK (saker_write (fixture.peer, batch, &receipt));
    CHECK (receipt.repeated && memcmp (receipt.note, first_note, sizeof first_note) == 0);
    saker_batch_destroy (&batch);
    end (&fixture);
}

static saker_err_t state_of (saker_t *peer, const char *pointer, uint8_t state[SAKER_STATE_BYTES])
{
    seen_t seen = {.leaves = 0};
    return saker_read_state (peer, "shots", "d", pointer, see_leaf, &seen, state);
}

/* Sets /a if the place has the state. */
static saker_err_t set_if (saker_t *peer, const char *pointer, const uint8_t *state)
{
    const saker_value_t value = text_of ("new");
    saker_batch_t *batch = saker_batch_new ("shots");
    saker_err_t error = saker_batch_expect (batch, "d", pointer, state);
    error = error == SAKER_OK ? saker_batch_set (batch, "d", "/a", &value) : error;
    error = error == SAKER_OK ? saker_write (peer, batch, NULL) : error;
    saker_batch_destroy (&batch);
    return error;
}

static void what_is_expected_must_be_there (void)
{
    static fixture_t fixture;
    static const uint8_t nothing[SAKER_STATE_BYTES];
    uint8_t first[SAKER_STATE_BYTES], second[SAKER_STATE_BYTES], part[SAKER_STATE_BYTES];
    CHECK (begin (&fixture));
    CHECK_ERR (state_of (fixture.peer, "", first), SAKER_ENOTFOUND, "");
    CHECK (memcmp (first, nothing, sizeof first) == 0);
    CHECK_OK (set_if (fixture.peer, "", nothing));
    CHECK_ERR (set_if (fixture.peer, "", nothing), SAKER_ECHANGED, "d is not what was expected");
    CHECK_OK (state_of (fixture.peer, "", first));
    CHECK_OK (set_text (fixture.peer, "shots", "d", "/b", "x"));
    CHECK_OK (state_of (fixture.peer, "/b", part));
    CHECK_ERR (set_if (fixture.peer, "", first), SAKER_ECHANGED, "read it again");
    CHECK_OK (state_of (fixture.peer, "", first));
    CHECK_OK (set_if (fixture.peer, "", first));
    CHECK_OK (state_of (fixture.peer, "", second));
    CHECK (memcmp (first, second, sizeof first) != 0); /* the same text, written anew */
    CHECK_OK (set_if (fixture.peer, "/b", part));      /* this part is what it was */
    CHECK_OK (set_if (fixture.peer, "/c", nothing));
    end (&fixture);
}

static void an_operation_that_is_known_expects_nothing (void)
{
    static fixture_t fixture;
    static const uint8_t nothing[SAKER_STATE_BYTES];
    saker_receipt_t first, second;
    saker_batch_t *batch = saker_batch_new ("shots");
    CHECK (begin (&fixture));
    CHECK_OK (saker_batch_operation (batch, "once", 4));
    CHECK_OK (saker_batch_expect (batch, "d", "", nothing));
    CHECK_OK (saker_batch_incr (batch, "d", "/n", 1));
    CHECK_OK (saker_write (fixture.peer, batch, &first));
    CHECK_OK (saker_write (fixture.peer, batch, &second));
    CHECK (second.repeated && second.seq == first.seq);
    saker_batch_destroy (&batch);
    end (&fixture);
}

/* ---- a program's own keys */

static saker_err_t take_colour (void *argument, const char *value,
                                char sentence[SAKER_SENTENCE_MAX])
{
    snprintf (argument, 16, "%s", value);
    snprintf (sentence, SAKER_SENTENCE_MAX, "'%s' is no colour: write red", value);
    return strcmp (value, "red") == 0 ? SAKER_OK : SAKER_EINPUT;
}

static void a_program_has_keys_of_its_own (void)
{
    static const saker_config_key_t keys[] = {{"colour", take_colour}};
    char colour[16] = "";
    saker_config_t *config = saker_config_new ();
    CHECK_ERR (saker_config_set (config, "colour", "red"), SAKER_EINPUT, "unknown key 'colour'");
    saker_config_keys (config, keys, 1, colour);
    CHECK_OK (saker_config_set (config, "colour", "red"));
    CHECK_STR (colour, "red");
    CHECK_ERR (saker_config_set (config, "colour", "loud"), SAKER_EINPUT,
               "colour: 'loud' is no colour: write red");
    CHECK_ERR (saker_config_set (config, "color", "red"), SAKER_EINPUT, "did you mean 'colour'?");
    CHECK_ERR (saker_config_set (config, "nonsense", "red"), SAKER_EINPUT, "fold-counters, colour");
    CHECK_OK (saker_config_set (config, "beacon", "no"));
    CHECK_INT (saker_config_log_level (config), 2);
    CHECK_OK (saker_config_set (config, "log-level", "debug"));
    CHECK_INT (saker_config_log_level (config), 3);
    saker_config_destroy (&config);
}

/* A document of about 600 KiB. */
static saker_err_t write_large (saker_t *peer)
{
    char pointer[16], text[1001];
    memset (text, 'x', sizeof text - 1);
    text[1000] = 0;
    const saker_value_t value = text_of (text);
    for (int i = 0; i < 600; i += 50) {
        saker_batch_t *batch = saker_batch_new ("large");
        saker_err_t error = SAKER_OK;
        for (int k = i; k < i + 50 && error == SAKER_OK; k++) {
            snprintf (pointer, sizeof pointer, "/k%03d", k);
            error = saker_batch_set (batch, "big", pointer, &value);
        }
        error = error == SAKER_OK ? saker_write (peer, batch, NULL) : error;
        saker_batch_destroy (&batch);
        SKR_TRY (error);
    }
    return SAKER_OK;
}

static void a_large_document_is_whole (void)
{
    static fixture_t fixture;
    seen_t seen = {.leaves = 0}, calm = {.leaves = 0}, all = {.leaves = 0};
    CHECK (begin (&fixture));
    CHECK_OK (write_large (fixture.peer));
    CHECK_OK (set_text (fixture.peer, "large", "after", "/a", "1"));
    CHECK_OK (set_text (fixture.peer, "large", "zebra", "/a", "1"));
    CHECK_OK (saker_read (fixture.peer, "large", "big", "", count_leaf, &seen));
    CHECK_INT (seen.leaves, 600);
    atomic_store (&fixture.server.stirring, true);
    saker_err_t error = saker_read (fixture.peer, "large", "big", "", count_leaf, &calm);
    CHECK (error == SAKER_EBUSY ? calm.leaves == 0 : error == SAKER_OK && calm.leaves >= 600);
    atomic_store (&fixture.server.stirring, false);
    CHECK_OK (saker_iterate (fixture.peer, "large", count_leaf, &all));
    CHECK_INT (all.documents, 3);
    CHECK (all.leaves >= 602 && all.leaves <= 603);
    end (&fixture);
}

static void many_documents_are_iterated (void)
{
    static fixture_t fixture;
    char id[16];
    const saker_value_t value = text_of ("some text");
    seen_t seen = {.leaves = 0};
    CHECK (begin (&fixture));
    for (int i = 0; i < 3000; i += 500) {
        saker_batch_t *batch = saker_batch_new ("many");
        for (int k = i; k < i + 500; k++) {
            snprintf (id, sizeof id, "d%d", k);
            CHECK_OK (saker_batch_set (batch, id, "/a", &value));
        }
        CHECK_OK (saker_write (fixture.peer, batch, NULL));
        saker_batch_destroy (&batch);
    }
    CHECK_OK (saker_iterate (fixture.peer, "many", count_leaf, &seen));
    CHECK_INT (seen.documents, 3000);
    CHECK_ERR (saker_iterate (fixture.peer, "none", count_leaf, &seen), SAKER_ENOTFOUND, "none");
    end (&fixture);
}

static int read_inside (const saker_leaf_t *leaf, void *argument)
{
    seen_t *seen = argument, inner = {.leaves = 0};
    char pointer[80];
    snprintf (pointer, sizeof pointer, "%s", leaf->pointer);
    seen->error = saker_read (seen->peer, "shots", leaf->document, leaf->pointer, see_leaf, &inner);
    seen->leaves += inner.leaves == 1 && strcmp (pointer, leaf->pointer) == 0;
    return seen->error != SAKER_OK;
}

static void a_callback_may_use_the_handle (void)
{
    static fixture_t fixture;
    CHECK (begin (&fixture));
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf (id, sizeof id, "d%d", i);
        CHECK_OK (set_text (fixture.peer, "shots", id, "/a", "1"));
    }
    seen_t seen = {.peer = fixture.peer};
    CHECK_OK (saker_iterate (fixture.peer, "shots", read_inside, &seen));
    CHECK_INT (seen.leaves, 5);
    end (&fixture);
}

static int see_name (const char *name, uint64_t documents, void *argument)
{
    seen_t *seen = argument;
    size_t used = strlen (seen->words);
    snprintf (seen->words + used, sizeof seen->words - used, "%s %u; ", name, (unsigned) documents);
    return 0;
}

static void names_are_listed (void)
{
    static fixture_t fixture;
    seen_t collections = {.leaves = 0}, documents = {.leaves = 0};
    CHECK (begin (&fixture));
    CHECK_OK (set_text (fixture.peer, "zoo", "d", "/a", "1"));
    CHECK_OK (set_text (fixture.peer, "art", "f", "/a", "1"));
    CHECK_OK (set_text (fixture.peer, "art", "e", "/a", "1"));
    CHECK_OK (saker_collections (fixture.peer, see_name, &collections));
    CHECK_STR (collections.words, "art 2; zoo 1; ");
    CHECK_OK (saker_documents (fixture.peer, "art", see_name, &documents));
    CHECK_STR (documents.words, "e 1; f 1; ");
    end (&fixture);
}

/* ---- watching */

static int see_event (const saker_event_t *event, void *argument)
{
    seen_t *seen = argument;
    size_t used = strlen (seen->words);
    snprintf (seen->words + used, sizeof seen->words - used, "%s/%s by %s; ", event->collection,
              event->document, event->author);
    seen->events++;
    return seen->stop_after && seen->events >= seen->stop_after;
}

static int stop_at_first (const char *name, uint64_t documents, void *argument)
{
    (void) documents;
    snprintf (argument, 16, "%s", name);
    return 1;
}

static void a_list_begins_anywhere (void)
{
    static fixture_t fixture;
    char name[16] = "";
    CHECK (begin (&fixture));
    CHECK_OK (set_text (fixture.peer, "shots", "a", "/x", "1"));
    CHECK_OK (set_text (fixture.peer, "shots", "c", "/x", "1"));
    CHECK_OK (saker_documents_from (fixture.peer, "shots", "b", stop_at_first, name));
    CHECK_STR (name, "c");
    CHECK_OK (saker_documents_from (fixture.peer, "shots", "a", stop_at_first, name));
    CHECK_STR (name, "a");
    name[0] = 0;
    CHECK_OK (saker_documents_from (fixture.peer, "shots", "d", stop_at_first, name));
    CHECK_STR (name, "");
    end (&fixture);
}

static void a_watch_hands_over_what_comes (void)
{
    static fixture_t fixture;
    saker_cursor_t cursor, kept;
    seen_t seen = {.leaves = 0};
    CHECK (begin (&fixture));
    CHECK_OK (saker_now (fixture.peer, &cursor));
    CHECK_ERR (saker_watch (fixture.peer, NULL, &cursor, 20, see_event, &seen), SAKER_ETIMEOUT,
               "nothing came within 20 ms");
    CHECK_OK (set_text (fixture.peer, "shots", "d", "/a", "1"));
    CHECK_OK (set_text (fixture.peer, "other", "e", "/a", "1"));
    CHECK_OK (saker_cursor_save (fixture.peer, "bridge", &cursor));
    CHECK_OK (saker_watch (fixture.peer, NULL, &cursor, 1000, see_event, &seen));
    CHECK_STR (seen.words, "shots/d by alpha; other/e by alpha; ");
    CHECK_ERR (saker_watch (fixture.peer, NULL, &cursor, 0, see_event, &seen), SAKER_ETIMEOUT, "");
    CHECK_OK (saker_cursor_load (fixture.peer, "bridge", &kept));
    seen_t again = {.leaves = 0};
    CHECK_OK (saker_watch (fixture.peer, "other", &kept, 1000, see_event, &again));
    CHECK_STR (again.words, "other/e by alpha; ");
    CHECK_INT (kept.position, cursor.position);
    CHECK_ERR (saker_cursor_load (fixture.peer, "none", &kept), SAKER_ENOTFOUND, "none");
    kept.epoch[3] ^= 1;
    CHECK_ERR (saker_watch (fixture.peer, NULL, &kept, 0, see_event, &seen), SAKER_EGAP, "");
    end (&fixture);
}

static void a_watch_that_is_ended_repeats_the_change (void)
{
    static fixture_t fixture;
    saker_cursor_t cursor;
    seen_t seen = {.stop_after = 2}, rest = {.leaves = 0};
    CHECK (begin (&fixture));
    CHECK_OK (saker_now (fixture.peer, &cursor));
    for (int i = 0; i < 3; i++) {
        char id[16];
        snprintf (id, sizeof id, "d%d", i);
        CHECK_OK (set_text (fixture.peer, "shots", id, "/a", "1"));
    }
    CHECK_OK (saker_watch (fixture.peer, NULL, &cursor, 1000, see_event, &seen));
    CHECK_INT (seen.events, 2);
    CHECK_OK (saker_watch (fixture.peer, NULL, &cursor, 1000, see_event, &rest));
    CHECK_STR (rest.words, "shots/d1 by alpha; shots/d2 by alpha; ");
    end (&fixture);
}

/* ---- the mesh */

static void wait_waits_for_others (void)
{
    static fixture_t fixture;
    CHECK (begin (&fixture));
    CHECK_OK (set_text (fixture.peer, "shots", "d", "/a", "1"));
    CHECK_ERR (saker_wait (fixture.peer, "beta", 50), SAKER_ETIMEOUT, "beta is behind by 1 change");
    CHECK_ERR (saker_wait (fixture.peer, "beta,gamma", 50), SAKER_ENOTFOUND, "gamma");
    CHECK_ERR (saker_wait (fixture.peer, ",", 50), SAKER_EINPUT, "peers");
    CHECK_OK (saker_wait (fixture.peer, "alpha", 0));
    atomic_store (&fixture.server.syncing, true);
    CHECK_OK (saker_wait (fixture.peer, NULL, 10000));
    CHECK_OK (saker_wait (fixture.peer, "alpha,beta", 10000));
    end (&fixture);
}

static int see_peer (const saker_peer_t *peer, void *argument)
{
    seen_t *seen = argument;
    bool self = strcmp (peer->link, "self") == 0;
    seen->leaves += self ? strcmp (peer->name, "alpha") == 0 && peer->behind == 0
                         : strcmp (peer->name, "beta") == 0 && strcmp (peer->link, "up") == 0
                               && strcmp (peer->role, "write") == 0 && peer->rtt_us == 120;
    return 0;
}

static int see_status (const saker_leaf_t *leaf, void *argument)
{
    seen_t *seen = argument;
    if (strcmp (leaf->pointer, "/mesh/name") == 0) {
        snprintf (seen->words, sizeof seen->words, "%.*s", (int) leaf->value.as.string.size,
                  leaf->value.as.string.data);
    }
    seen->leaves++;
    return 0;
}

static int see_verdict (const saker_verdict_t *verdict, void *argument)
{
    seen_t *seen = argument;
    size_t used = strlen (seen->words);
    snprintf (seen->words + used, sizeof seen->words - used, "%s %s %s; ", verdict->collection,
              verdict->peer,
              !verdict->reached                           ? "absent"
              : verdict->same_clock && verdict->same_data ? "same"
                                                          : "differs");
    return 0;
}

static void the_mesh_is_told (void)
{
    static fixture_t fixture;
    seen_t peers = {.leaves = 0}, status = {.leaves = 0}, same = {.leaves = 0};
    seen_t differs = {.leaves = 0};
    char ticket[SAKER_TICKET_MAX];
    CHECK (begin (&fixture));
    atomic_store (&fixture.server.syncing, true);
    CHECK_OK (set_text (fixture.peer, "shots", "d", "/a", "1"));
    CHECK_OK (saker_wait (fixture.peer, NULL, 10000));
    CHECK_OK (saker_peers (fixture.peer, see_peer, &peers));
    CHECK_INT (peers.leaves, 2);
    CHECK_OK (saker_status (fixture.peer, see_status, &status));
    CHECK_STR (status.words, "test");
    CHECK (status.leaves > 30);
    CHECK_OK (saker_verify (fixture.peer, NULL, 5000, see_verdict, &same));
    CHECK_STR (same.words, "@roster alpha same; @roster beta same; shots alpha same; "
                           "shots beta same; ");
    atomic_store (&fixture.server.syncing, false);
    CHECK_OK (set_text (fixture.peer, "shots", "e", "/a", "1"));
    CHECK_OK (set_text (fixture.peer, "shots", "f", "/a", "1"));
    CHECK_ERR (saker_verify (fixture.peer, "shots", 5000, see_verdict, &differs), SAKER_EDIFFER,
               "1 answer differs");
    CHECK_STR (differs.words, "shots alpha same; shots beta differs; ");
    CHECK_OK (saker_invite (fixture.peer, "read", 60000, ticket));
    CHECK (strncmp (ticket, "saker1-", 7) == 0);
    CHECK_ERR (saker_invite (fixture.peer, "king", 60000, ticket), SAKER_EUSAGE, "king");
    CHECK_INT (ticket[0], 0);
    end (&fixture);
}

static int see_link (const saker_link_t *link, void *argument)
{
    seen_t *seen = argument;
    size_t used = strlen (seen->words);
    snprintf (seen->words + used, sizeof seen->words - used, "%s %s %s hears %zu; ", link->name,
              link->state, link->skew_known ? "skewed" : "-", link->hears_count);
    seen->leaves++;
    return seen->stop_after && seen->leaves >= seen->stop_after;
}

static int see_trend (const saker_trend_t *trend, void *argument)
{
    seen_t *seen = argument;
    seen->leaves += trend->step_ms > 0 && *trend->name;
    return 0;
}

static int see_setting (const char *key, const char *value, void *argument)
{
    seen_t *seen = argument;
    size_t used = strlen (seen->words);
    snprintf (seen->words + used, sizeof seen->words - used, "%s=%s;", key, value);
    seen->leaves++;
    return 0;
}

static void links_and_reasons_are_told (void)
{
    static fixture_t fixture;
    seen_t links = {.leaves = 0}, one = {.stop_after = 1}, trends = {.leaves = 0};
    saker_pong_t pong;
    saker_reason_t reason;
    CHECK (begin (&fixture));
    CHECK_OK (set_text (fixture.peer, "shots", "d", "/a", "1"));
    CHECK_OK (saker_links (fixture.peer, see_link, &links));
    CHECK_INT (links.leaves, 2);
    CHECK (strstr (links.words, "alpha self - hears 1;"));
    CHECK (strstr (links.words, "beta up skewed hears 1;"));
    CHECK_OK (saker_links (fixture.peer, see_link, &one));
    CHECK_INT (one.leaves, 1);
    CHECK_OK (saker_trends (fixture.peer, see_trend, &trends));
    CHECK_INT (trends.leaves, 9);
    CHECK_OK (saker_ping (fixture.peer, "beta", 5000, &pong));
    CHECK_STR (pong.name, "beta");
    CHECK_STR (pong.address, "tcp://127.0.0.1:1");
    CHECK (pong.rtt_us >= 0 && strlen (pong.id) == 16);
    CHECK_ERR (saker_ping (fixture.peer, "alpha", 5000, &pong), SAKER_EUSAGE, "itself");
    CHECK_OK (saker_why (fixture.peer, "shots", "d", "beta", &reason));
    CHECK_INT (reason.cause, SAKER_WHY_QUEUED);
    CHECK_INT (reason.changes, 1);
    CHECK_STR (reason.author, "alpha");
    CHECK (reason.time_ms > 0 && !reason.own);
    CHECK_OK (saker_why (fixture.peer, "shots", "d", NULL, &reason));
    CHECK_INT (reason.cause, SAKER_WHY_THERE);
    CHECK (reason.own);
    CHECK_ERR (saker_why (fixture.peer, "shots", "d", "gamma", &reason), SAKER_ENOTFOUND, "gamma");
    CHECK_ERR (saker_why (fixture.peer, "a/b", "d", NULL, &reason), SAKER_EINPUT, "");
    CHECK_ERR (saker_why (fixture.peer, "shots", "", NULL, &reason), SAKER_EINPUT, "document");
    end (&fixture);
}

static saker_err_t take_any (void *argument, const char *value, char sentence[SAKER_SENTENCE_MAX])
{
    ++*(int *) argument;
    snprintf (sentence, SAKER_SENTENCE_MAX, "not this");
    return strcmp (value, "wrong") == 0 ? SAKER_EINPUT : SAKER_OK;
}

static void settings_of_the_program_come_back (void)
{
    static const saker_config_key_t keys[] = {{"gate", take_any}, {"hook", take_any}};
    seen_t seen = {.leaves = 0};
    int taken = 0;
    char large[1000];
    saker_config_t *config = saker_config_new ();
    CHECK (config);
    saker_config_keys (config, keys, 2, &taken);
    CHECK_OK (saker_config_set (config, "hook", "one"));
    CHECK_OK (saker_config_set (config, "gate", "a b"));
    CHECK_OK (saker_config_set (config, "hook", "two"));
    CHECK_ERR (saker_config_set (config, "gate", "wrong"), SAKER_EINPUT, "gate: not this");
    CHECK_INT (taken, 4);
    saker_config_each (config, see_setting, &seen);
    CHECK (strstr (seen.words, "fold-counters=no;hook=one;gate=a b;hook=two;"));
    CHECK (!strstr (seen.words, "wrong"));
    memset (large, 'x', sizeof large);
    large[sizeof large - 1] = 0;
    saker_err_t error = SAKER_OK;
    for (int i = 0; i < 100 && error == SAKER_OK; i++) {
        error = saker_config_set (config, "gate", large);
    }
    CHECK_ERR (error, SAKER_ELIMIT, "too many settings");
    saker_config_destroy (&config);
}

static void settings_come_back (void)
{
    seen_t seen = {.leaves = 0}, again = {.leaves = 0};
    saker_config_t *config = saker_config_new (), *copy = saker_config_new ();
    CHECK (config && copy);
    CHECK_OK (saker_config_set (config, "seed", "tcp://10.0.0.1:5677"));
    CHECK_OK (saker_config_set (config, "seed", "tcp://10.0.0.2:5677"));
    CHECK_OK (saker_config_set (config, "beacon", "no"));
    CHECK_OK (saker_config_set (config, "history", "36h"));
    CHECK_OK (saker_config_set (config, "horizon", "0"));
    saker_config_each (config, see_setting, &seen);
    CHECK_STR (seen.words,
               "listen=tcp://*:5677;beacon=no;beacon-port=5670;seed=tcp://10.0.0.1:5677;"
               "seed=tcp://10.0.0.2:5677;log-level=info;history=36h;history-size=1G;horizon=0;"
               "fold-counters=no;");
    for (char *at = seen.words, *save = NULL; (at = strtok_r (at, ";", &save)); at = NULL) {
        char *value = strchr (at, '=');
        *value = 0;
        CHECK_OK (saker_config_set (copy, at, value + 1));
    }
    saker_config_each (copy, see_setting, &again);
    CHECK_INT (again.leaves, seen.leaves);
    saker_config_destroy (&config);
    saker_config_destroy (&copy);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    if (sodium_init () < 0) {
        return 1;
    }
    RUN (what_cannot_be_opened_is_said);
    RUN (a_daemon_that_is_gone_is_not_waited_for_long);
    RUN (a_daemon_that_goes_away_is_noticed);
    RUN (a_late_answer_is_dropped);
    RUN (a_long_path_is_no_trouble);
    RUN (the_host_is_left_alone);
    RUN (a_forked_child_opens_its_own);
    RUN (every_kind_comes_back);
    RUN (a_callback_ends_the_read);
    RUN (what_a_batch_refuses);
    RUN (an_operation_id_writes_once);
    RUN (a_note_comes_back_with_a_repeat);
    RUN (what_is_expected_must_be_there);
    RUN (an_operation_that_is_known_expects_nothing);
    RUN (a_program_has_keys_of_its_own);
    RUN (a_large_document_is_whole);
    RUN (many_documents_are_iterated);
    RUN (a_callback_may_use_the_handle);
    RUN (names_are_listed);
    RUN (a_list_begins_anywhere);
    RUN (a_watch_hands_over_what_comes);
    RUN (a_watch_that_is_ended_repeats_the_change);
    RUN (wait_waits_for_others);
    RUN (the_mesh_is_told);
    RUN (links_and_reasons_are_told);
    RUN (settings_come_back);
    RUN (settings_of_the_program_come_back);
    return CHECK_END ();
}
