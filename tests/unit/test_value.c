#include "crdt/limits.h"
#include "crdt/value.h"
#include "tests/check.h"

#include <math.h>

static saker_value_t of_int (int64_t integer)
{
    return (saker_value_t){.type = SAKER_INT, .as.integer = integer};
}

static saker_value_t of_double (double number)
{
    return (saker_value_t){.type = SAKER_DOUBLE, .as.number = number};
}

static saker_value_t of_string (saker_type_t type, const char *data, size_t size)
{
    return (saker_value_t){.type = type, .as.string = {data, size}};
}

static bool same_value (const saker_value_t *one, const saker_value_t *other)
{
    if (one->type != other->type) {
        return false;
    }
    switch (one->type) {
    case SAKER_BOOL:
        return one->as.boolean == other->as.boolean;
    case SAKER_INT:
        return one->as.integer == other->as.integer;
    case SAKER_DOUBLE:
        return memcmp (&one->as.number, &other->as.number, sizeof one->as.number) == 0;
    case SAKER_TEXT:
    case SAKER_BYTES:
        return skr_span_equal (skr_span (one->as.string.data, one->as.string.size),
                               skr_span (other->as.string.data, other->as.string.size));
    default:
        return true;
    }
}

static void survives (saker_value_t value)
{
    skr_buf_t buf = {0};
    saker_value_t found;
    CHECK_OK (skr_value_check (&value));
    skr_value_put (&buf, &value);
    CHECK_OK (skr_value_parse (skr_span_of (&buf), &found));
    CHECK (same_value (&value, &found));
    skr_buf_free (&buf);
}

static void values_come_back (void)
{
    static const char letters[] = "\xc3\xbc\0\xf0\x90\x85\x91";
    survives ((saker_value_t){.type = SAKER_NULL});
    survives ((saker_value_t){.type = SAKER_BOOL, .as.boolean = true});
    survives ((saker_value_t){.type = SAKER_BOOL, .as.boolean = false});
    survives (of_int (0));
    survives (of_int (INT64_MAX));
    survives (of_int (INT64_MIN));
    survives (of_double (0));
    survives (of_double (-0.0));
    survives (of_double (1)); /* stays a double */
    survives (of_double (1.1));
    survives (of_double (5e-324));
    survives (of_double (1.7976931348623157e308));
    survives (of_string (SAKER_TEXT, "", 0));
    survives (of_string (SAKER_TEXT, NULL, 0));
    survives (of_string (SAKER_TEXT, letters, sizeof letters - 1));
    survives (of_string (SAKER_BYTES, NULL, 0));
    survives (of_string (SAKER_BYTES, "\xff\0\x80", 3));
}

static void random_values_come_back (void)
{
    uint64_t state = check_seed ();
    for (int i = 0; i < 20000 && !check_bad; i++) {
        uint64_t bits = check_random (&state);
        double number;
        memcpy (&number, &bits, sizeof number);
        if (isfinite (number)) {
            survives (of_double (number));
        }
        survives (of_int ((int64_t) bits >> check_random (&state) % 64));
        survives (of_string (SAKER_BYTES, (const char *) &bits, bits % sizeof bits));
    }
}

/* One value, one encoding: a member of a set is known by its bytes. */
static void encodings_are_distinct (void)
{
    const saker_value_t values[] = {
        {.type = SAKER_NULL},
        {.type = SAKER_BOOL, .as.boolean = false},
        {.type = SAKER_BOOL, .as.boolean = true},
        of_int (0),
        of_int (1),
        of_double (0),
        of_double (-0.0),
        of_double (1),
        of_string (SAKER_TEXT, "", 0),
        of_string (SAKER_BYTES, "", 0),
        of_string (SAKER_TEXT, "1", 1),
        of_string (SAKER_BYTES, "1", 1),
    };
    const size_t count = sizeof values / sizeof *values;
    skr_buf_t bufs[sizeof values / sizeof *values] = {{0}};
    for (size_t i = 0; i < count; i++) {
        skr_value_put (&bufs[i], &values[i]);
        for (size_t j = 0; j < i; j++) {
            CHECK (!skr_span_equal (skr_span_of (&bufs[i]), skr_span_of (&bufs[j])));
        }
    }
    for (size_t i = 0; i < count; i++) {
        skr_buf_free (&bufs[i]);
    }
}

static saker_err_t check_one (saker_value_t value)
{
    return skr_value_check (&value);
}

static void bad_values_are_refused (void)
{
    static char text[SKR_VALUE_BYTES_MAX + 1];
    memset (text, 'x', sizeof text);
    CHECK_ERR (check_one (of_double ((double) NAN)), SAKER_EINPUT, "not finite");
    CHECK_ERR (check_one (of_double ((double) INFINITY)), SAKER_EINPUT, "not finite");
    CHECK_ERR (check_one (of_double (-(double) INFINITY)), SAKER_EINPUT, "not finite");
    CHECK_ERR (check_one (of_string (SAKER_TEXT, "\xff", 1)), SAKER_EINPUT, "UTF-8");
    CHECK_ERR (check_one (of_string (SAKER_TEXT, "\xed\xa0\x80", 3)), SAKER_EINPUT, "UTF-8");
    CHECK_ERR (check_one ((saker_value_t){.type = SAKER_MAP}), SAKER_EINPUT, "unknown type");
    CHECK_ERR (check_one ((saker_value_t){.type = 7}), SAKER_EINPUT, "unknown type");
    survives (of_string (SAKER_TEXT, text, SKR_VALUE_BYTES_MAX));
    survives (of_string (SAKER_BYTES, text, SKR_VALUE_BYTES_MAX));
    CHECK_ERR (check_one (of_string (SAKER_TEXT, text, sizeof text)), SAKER_ELIMIT, "61441 bytes");
    CHECK_ERR (check_one (of_string (SAKER_BYTES, text, sizeof text)), SAKER_ELIMIT, "at most");
}

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
    BYTES ("an array", "\x80"),
    BYTES ("a map", "\xa0"),
    BYTES ("undefined", "\xf7"),
    BYTES ("a tag", "\xc1\x01"),
    BYTES ("2^63", "\x1b\x80\0\0\0\0\0\0\0"),
    BYTES ("-2^63 - 1", "\x3b\x80\0\0\0\0\0\0\0"),
    BYTES ("NaN", "\xf9\x7e\x00"),
    BYTES ("infinity", "\xf9\x7c\x00"),
    BYTES ("-infinity", "\xf9\xfc\x00"),
    BYTES ("1.0 in 32 bits", "\xfa\x3f\x80\x00\x00"),
    BYTES ("text not UTF-8", "\x61\xff"),
    BYTES ("text one short", "\x62z"),
    BYTES ("indefinite text", "\x7f\x61z\xff"),
    BYTES ("two values", "\x01\x01"),
#undef BYTES
};

static void bad_bytes_are_refused (void)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        saker_value_t value;
        saker_err_t error = skr_value_parse (skr_span (refused[i].data, refused[i].size), &value);
        if (error != SAKER_EINPUT || strncmp (skr_error (), "value: byte ", 12) != 0) {
            CHECK_FAIL ("%s: error %d: %s", refused[i].what, error, skr_error ());
        }
    }
}

static void long_strings_are_refused (void)
{
    static char text[SKR_VALUE_BYTES_MAX + 1];
    skr_buf_t buf = {0};
    saker_value_t value;
    memset (text, 'x', sizeof text);
    skr_cbor_put_text (&buf, text, sizeof text);
    CHECK_ERR (skr_value_parse (skr_span_of (&buf), &value), SAKER_EINPUT, "over 60 KiB");
    skr_buf_clear (&buf);
    skr_cbor_put_bytes (&buf, text, sizeof text);
    CHECK_ERR (skr_value_parse (skr_span_of (&buf), &value), SAKER_EINPUT, "over 60 KiB");
    skr_buf_free (&buf);
}

static void strings_are_borrowed (void)
{
    static const char bytes[] = "\x63xyz";
    saker_value_t value;
    CHECK_OK (skr_value_parse (skr_span (bytes, 4), &value));
    CHECK (value.as.string.data == bytes + 1 && value.as.string.size == 3);
}

/* Whatever is accepted is a value, and written again it is the same bytes. */
static void random_bytes_do_no_harm (void)
{
    uint64_t state = check_seed ();
    int accepted = 0;
    for (int i = 0; i < 100000; i++) {
        uint8_t data[10];
        size_t size = check_random (&state) % sizeof data + 1;
        saker_value_t value;
        for (size_t j = 0; j < size; j++) {
            data[j] = (uint8_t) (check_random (&state) >> 13);
        }
        if (skr_value_parse (skr_span (data, size), &value) == SAKER_OK) {
            skr_buf_t buf = {0};
            CHECK_OK (skr_value_check (&value));
            skr_value_put (&buf, &value);
            CHECK (skr_span_equal (skr_span_of (&buf), skr_span (data, size)));
            skr_buf_free (&buf);
            accepted++;
        }
    }
    CHECK (accepted > 0);
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (values_come_back);
    RUN (random_values_come_back);
    RUN (encodings_are_distinct);
    RUN (bad_values_are_refused);
    RUN (bad_bytes_are_refused);
    RUN (long_strings_are_refused);
    RUN (strings_are_borrowed);
    RUN (random_bytes_do_no_harm);
    return CHECK_END ();
}
