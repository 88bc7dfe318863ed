#include "crdt/clock.h"
#include "tests/check.h"

#define WRITERS 12

/* A clock as it is: one number a writer. */
typedef struct model_t {
    uint64_t seqs[WRITERS];
} model_t;

/* Writers that differ in the first byte, or in the last. */
static skr_id_t writer (int number)
{
    skr_id_t id = {{0}};
    id.bytes[number % 2 ? 0 : 15] = (uint8_t) (number * 21);
    return id;
}

static bool matches (const skr_clock_t *clock, const model_t *model)
{
    size_t count = 0;
    for (int i = 0; i < WRITERS; i++) {
        skr_id_t id = writer (i);
        if (skr_clock_get (clock, &id) != model->seqs[i]) {
            return false;
        }
        count += model->seqs[i] != 0;
    }
    for (size_t i = 1; i < clock->count; i++) {
        if (skr_id_compare (&clock->ticks[i - 1].writer, &clock->ticks[i].writer) >= 0) {
            return false;
        }
    }
    return clock->count == count && count <= clock->capacity;
}

static bool model_covers (const model_t *one, const model_t *other)
{
    bool covers = true;
    for (int i = 0; i < WRITERS; i++) {
        covers = covers && one->seqs[i] >= other->seqs[i];
    }
    return covers;
}

static uint64_t model_missing (const model_t *one, const model_t *other)
{
    uint64_t missing = 0;
    for (int i = 0; i < WRITERS; i++) {
        missing += one->seqs[i] > other->seqs[i] ? one->seqs[i] - other->seqs[i] : 0;
    }
    return missing;
}

static void model_merge (model_t *one, const model_t *other)
{
    for (int i = 0; i < WRITERS; i++) {
        one->seqs[i] = one->seqs[i] > other->seqs[i] ? one->seqs[i] : other->seqs[i];
    }
}

static saker_err_t random_step (skr_clock_t clocks[2], model_t models[2], uint64_t *state)
{
    int at = (int) (check_random (state) % 2), number = (int) (check_random (state) % WRITERS);
    uint64_t seq = check_random (state) % 4, chance = check_random (state) % 16;
    uint64_t *known = &models[at].seqs[number];
    skr_id_t id = writer (number);
    if (chance < 7) {
        *known = seq;
        return skr_clock_set (&clocks[at], &id, seq);
    }
    if (chance < 14) {
        *known = seq > *known ? seq : *known;
        return skr_clock_raise (&clocks[at], &id, seq);
    }
    if (chance == 14) {
        model_merge (&models[at], &models[!at]);
        return skr_clock_merge (&clocks[at], &clocks[!at]);
    }
    models[at] = models[!at];
    return skr_clock_copy (&clocks[at], &clocks[!at]);
}

static void clocks_are_as_the_model (void)
{
    uint64_t state = check_seed ();
    skr_clock_t clocks[2] = {{0}};
    model_t models[2] = {{{0}}};
    for (int i = 0; i < 30000; i++) {
        CHECK_OK (random_step (clocks, models, &state));
        CHECK (matches (&clocks[0], &models[0]) && matches (&clocks[1], &models[1]));
        bool covers = model_covers (&models[0], &models[1]);
        bool covered = model_covers (&models[1], &models[0]);
        CHECK_INT (skr_clock_covers (&clocks[0], &clocks[1]), covers);
        CHECK_INT (skr_clock_covers (&clocks[1], &clocks[0]), covered);
        CHECK_INT (skr_clock_equal (&clocks[0], &clocks[1]), covers && covered);
        CHECK_INT (skr_clock_missing (&clocks[0], &clocks[1]),
                   model_missing (&models[0], &models[1]));
        CHECK_INT (skr_clock_digest (&clocks[0]) == skr_clock_digest (&clocks[1]),
                   covers && covered);
    }
    skr_clock_free (&clocks[0]);
    skr_clock_free (&clocks[1]);
}

static void grow (skr_clock_t *clock, int number, uint64_t seq)
{
    skr_id_t id = writer (number);
    if (skr_clock_raise (clock, &id, seq) != SAKER_OK) {
        CHECK_FAIL ("grow: %s", skr_error ());
    }
}

static void a_clock_meets_itself (void)
{
    skr_clock_t clock = {0}, empty = {0};
    for (int i = 0; i < WRITERS; i++) {
        grow (&clock, i, 5);
    }
    CHECK_OK (skr_clock_copy (&clock, &clock));
    CHECK_OK (skr_clock_merge (&clock, &clock));
    CHECK_INT (clock.count, WRITERS);
    CHECK (skr_clock_covers (&clock, &clock) && skr_clock_equal (&clock, &clock));
    CHECK_INT (skr_clock_missing (&clock, &clock), 0);
    CHECK (skr_clock_covers (&clock, &empty) && !skr_clock_covers (&empty, &clock));
    CHECK_OK (skr_clock_copy (&empty, &empty));
    CHECK_OK (skr_clock_set (&clock, &clock.ticks[0].writer, 0)); /* the id goes with the entry */
    CHECK_INT (clock.count, WRITERS - 1);
    skr_clock_free (&clock);
    skr_clock_free (&clock);
}

static void an_empty_copy_is_empty (void)
{
    skr_clock_t clock = {0}, empty = {0};
    grow (&clock, 1, 5);
    CHECK_OK (skr_clock_copy (&clock, &empty));
    CHECK_INT (clock.count, 0);
    CHECK (skr_clock_equal (&clock, &empty));
    skr_clock_free (&clock);
}

/* Foreign clocks may hold any number: a sum over them must not come round to 0. */
static void missing_does_not_wrap (void)
{
    skr_clock_t clock = {0}, empty = {0};
    grow (&clock, 1, UINT64_MAX);
    CHECK (skr_clock_missing (&clock, &empty) == UINT64_MAX);
    grow (&clock, 2, 1);
    CHECK (skr_clock_missing (&clock, &empty) == UINT64_MAX);
    grow (&clock, 3, UINT64_MAX);
    CHECK (skr_clock_missing (&clock, &empty) == UINT64_MAX);
    CHECK (skr_clock_missing (&empty, &clock) == 0);
    skr_clock_free (&clock);
}

static void numbered (skr_id_t *id, uint32_t number)
{
    memset (id, 0, sizeof *id);
    skr_put_u32 (id->bytes + 12, number);
}

static void writers_are_bounded (void)
{
    skr_clock_t clock = {0}, copy = {0};
    skr_buf_t buf = {0};
    skr_cbor_t cbor;
    skr_id_t id;
    for (uint32_t i = 0; i < SKR_CLOCK_WRITERS_MAX; i++) {
        numbered (&id, i);
        CHECK_OK (skr_clock_set (&clock, &id, i + 1));
    }
    numbered (&id, SKR_CLOCK_WRITERS_MAX);
    CHECK_ERR (skr_clock_raise (&clock, &id, 1), SAKER_ELIMIT, "at most 65536 writers");
    CHECK_INT (clock.count, SKR_CLOCK_WRITERS_MAX);
    numbered (&id, 77);
    CHECK_OK (skr_clock_raise (&clock, &id, 1000));
    skr_clock_put (&buf, &clock);
    skr_cbor_open (&cbor, skr_span_of (&buf));
    CHECK_OK (skr_clock_read (&cbor, &copy, SKR_CLOCK_WRITERS_MAX));
    CHECK_OK (skr_cbor_close (&cbor));
    CHECK (skr_clock_equal (&clock, &copy));
    skr_clock_free (&clock);
    skr_clock_free (&copy);
    skr_buf_free (&buf);
}

static void digests_do_not_change (void)
{
    skr_clock_t clock = {0};
    CHECK (skr_clock_digest (&clock) == 0);
    grow (&clock, 1, 1);
    uint64_t one = skr_clock_digest (&clock);
    CHECK (one != 0);
    grow (&clock, 1, 2);
    CHECK (skr_clock_digest (&clock) != one && skr_clock_digest (&clock) != 0);
    grow (&clock, 2, 1);
    skr_id_t first = writer (1), second = writer (2);
    CHECK_OK (skr_clock_set (&clock, &second, 0));
    CHECK_OK (skr_clock_set (&clock, &first, 1));
    CHECK (skr_clock_digest (&clock) == one);
    CHECK_OK (skr_clock_set (&clock, &first, 0));
    CHECK (skr_clock_digest (&clock) == 0);
    skr_clock_free (&clock);
}

static void encodings_come_back (void)
{
    uint64_t state = check_seed ();
    skr_clock_t found = {0};
    for (int i = 0; i < 2000; i++) {
        skr_clock_t clock = {0};
        skr_buf_t buf = {0};
        skr_cbor_t cbor;
        for (uint64_t j = check_random (&state) % 10; j; j--) {
            grow (&clock, (int) (check_random (&state) % WRITERS),
                  check_random (&state) >> check_random (&state) % 64);
        }
        skr_clock_put (&buf, &clock);
        skr_cbor_open (&cbor, skr_span_of (&buf));
        CHECK_OK (skr_clock_read (&cbor, &found, WRITERS)); /* into what it held before */
        CHECK_OK (skr_cbor_close (&cbor));
        CHECK (skr_clock_equal (&clock, &found));
        CHECK (skr_clock_digest (&clock) == skr_clock_digest (&found));
        skr_clock_free (&clock);
        skr_buf_free (&buf);
    }
    skr_clock_free (&found);
}

#define ID_1 "\x50\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
#define ID_2 "\x50\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2"
#define ID_SHORT "\x4f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
#define ID_LONG "\x51\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
#define ID_TEXT "\x70\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"

static const struct {
    const char *what;
    const char *data;
    size_t size;
} refused[] = {
#define BYTES(what, bytes)                                                                         \
    {                                                                                              \
        what, bytes, sizeof bytes - 1                                                              \
    }
    BYTES ("nothing", ""),
    BYTES ("a map", "\xa1" ID_1 "\x01"),
    BYTES ("a number", "\x01"),
    BYTES ("an entry that is no array", "\x81" ID_1),
    BYTES ("an entry of one part", "\x81\x81" ID_1),
    BYTES ("an entry of three parts", "\x81\x83" ID_1 "\x01\x01"),
    BYTES ("an entry of no parts", "\x81\x80"),
    BYTES ("an id of 15 bytes", "\x81\x82" ID_SHORT "\x01"),
    BYTES ("an id of 17 bytes", "\x81\x82" ID_LONG "\x01"),
    BYTES ("an id as text", "\x81\x82" ID_TEXT "\x01"),
    BYTES ("seq 0", "\x81\x82" ID_1 "\x00"),
    BYTES ("seq -1", "\x81\x82" ID_1 "\x20"),
    BYTES ("seq as a double", "\x81\x82" ID_1 "\xf9\x3c\x00"),
    BYTES ("seq in a longer form", "\x81\x82" ID_1 "\x18\x01"),
    BYTES ("a writer twice", "\x82\x82" ID_1 "\x01\x82" ID_1 "\x02"),
    BYTES ("writers in falling order", "\x82\x82" ID_2 "\x01\x82" ID_1 "\x02"),
    BYTES ("one entry short", "\x82\x82" ID_1 "\x01"),
    BYTES ("four entries", "\x84\x82" ID_1 "\x01\x82" ID_2 "\x02\x01\x01"),
    BYTES ("1 GB in 5 bytes", "\x9a\x07\xff\xff\xff"),
    BYTES ("2^64 - 1 entries", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff"),
    BYTES ("indefinite", "\x9f\xff"),
#undef BYTES
};

static void bad_encodings_are_refused (void)
{
    skr_clock_t clock = {0};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        skr_cbor_t cbor;
        grow (&clock, 1, 5);
        skr_cbor_open (&cbor, skr_span (refused[i].data, refused[i].size));
        saker_err_t error = skr_clock_read (&cbor, &clock, 3);
        if (error != SAKER_EINPUT || cbor.error != SAKER_EINPUT || clock.count != 0) {
            CHECK_FAIL ("%s: error %d, %zu entries", refused[i].what, error, clock.count);
        }
    }
    CHECK (clock.capacity < 100); /* nothing was made for entries that are not there */
    skr_clock_free (&clock);
}

static void cut_and_mutated_encodings_do_no_harm (void)
{
    static const char good[] = "\x82\x82" ID_1 "\x19\x01\x00\x82" ID_2 "\x01";
    uint64_t state = check_seed ();
    skr_clock_t clock = {0};
    for (int i = 0; i < 20000; i++) {
        size_t size = i < (int) sizeof good - 1 ? (size_t) i : sizeof good - 1;
        uint8_t *copy = malloc (size + !size);
        skr_buf_t buf = {0};
        skr_cbor_t cbor;
        memcpy (copy, good, size);
        if (size == sizeof good - 1) {
            copy[check_random (&state) % size] = (uint8_t) check_random (&state);
        }
        skr_cbor_open (&cbor, skr_span (copy, size));
        saker_err_t error = skr_clock_read (&cbor, &clock, 9);
        skr_clock_put (&buf, &clock);
        if (error == SAKER_OK && cbor.at == cbor.end) {
            CHECK (skr_span_equal (skr_span_of (&buf), skr_span (copy, size)));
        }
        CHECK (error == SAKER_OK || clock.count == 0);
        CHECK (error != SAKER_OK || size == sizeof good - 1);
        skr_buf_free (&buf);
        free (copy);
    }
    skr_clock_free (&clock);
}

static void dots_are_ordered (void)
{
    const skr_dot_t dots[] = {
        {writer (0), 1, 0}, {writer (0), 1, 1},          {writer (0), 1, UINT32_MAX},
        {writer (0), 2, 0}, {writer (0), UINT64_MAX, 0}, {writer (2), 1, 0},
        {writer (1), 1, 0}, {writer (1), 1, 3},
    };
    const int count = sizeof dots / sizeof *dots;
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < count; j++) {
            int order = skr_dot_compare (&dots[i], &dots[j]);
            CHECK_INT ((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (clocks_are_as_the_model);
    RUN (a_clock_meets_itself);
    RUN (an_empty_copy_is_empty);
    RUN (missing_does_not_wrap);
    RUN (writers_are_bounded);
    RUN (digests_do_not_change);
    RUN (encodings_come_back);
    RUN (bad_encodings_are_refused);
    RUN (cut_and_mutated_encodings_do_no_harm);
    RUN (dots_are_ordered);
    return CHECK_END ();
}
