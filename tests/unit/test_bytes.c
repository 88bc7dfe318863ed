#include "crdt/bytes.h"
#include "tests/check.h"

static int sign (int order)
{
    return (order > 0) - (order < 0);
}

static void spans_compare (void)
{
    /* ascending */
    const skr_span_t spans[] = {
        skr_span (NULL, 0),     skr_span ("\0", 1),     skr_span ("\0\0", 2),
        skr_span_text ("a"),    skr_span_text ("ab"),   skr_span_text ("b"),
        skr_span ("b\0", 2),    skr_span_text ("ba"),   skr_span_text ("\x7f"),
        skr_span_text ("\x80"), skr_span_text ("\xff"),
    };
    const int count = sizeof spans / sizeof *spans;
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < count; j++) {
            CHECK_INT (sign (skr_span_compare (spans[i], spans[j])), sign (i - j));
            CHECK_INT (skr_span_equal (spans[i], spans[j]), i == j);
        }
    }
    CHECK (skr_span_equal (skr_span (NULL, 0), skr_span_text ("")));
    CHECK_INT (skr_span_compare (skr_span_text (""), skr_span (NULL, 0)), 0);
}

static void spans_start (void)
{
    skr_span_t none = skr_span (NULL, 0), ab = skr_span_text ("ab");
    CHECK (skr_span_starts (none, none));
    CHECK (skr_span_starts (ab, none));
    CHECK (skr_span_starts (ab, ab));
    CHECK (skr_span_starts (ab, skr_span_text ("a")));
    CHECK (!skr_span_starts (ab, skr_span_text ("b")));
    CHECK (!skr_span_starts (ab, skr_span_text ("abc")));
    CHECK (!skr_span_starts (none, ab));
}

static void a_buf_grows (void)
{
    uint64_t state = check_seed ();
    skr_buf_t buf = {0};
    uint8_t model[20000];
    size_t size = 0;
    while (size < 16000) {
        uint8_t piece[300];
        size_t piece_size = check_random (&state) % sizeof piece;
        for (size_t i = 0; i < piece_size; i++) {
            piece[i] = (uint8_t) check_random (&state);
        }
        memcpy (model + size, piece, piece_size);
        size += piece_size;
        skr_buf_append_span (&buf, skr_span (piece, piece_size));
        skr_buf_append_byte (&buf, 7);
        model[size++] = 7;
        CHECK (buf.size <= buf.capacity && !buf.failed);
    }
    CHECK (skr_span_equal (skr_span_of (&buf), skr_span (model, size)));
    skr_buf_free (&buf);
}

static void nothing_is_appended (void)
{
    skr_buf_t buf = {0};
    skr_buf_append (&buf, NULL, 0);
    skr_buf_append_span (&buf, skr_span (NULL, 0));
    CHECK (!buf.data && !buf.size && !buf.failed);
    CHECK (skr_span_equal (skr_span_of (&buf), skr_span (NULL, 0)));
    skr_buf_free (&buf);
}

static void room_is_reserved (void)
{
    skr_buf_t buf = {0};
    skr_buf_append (&buf, "abc", 3);
    for (size_t size = 0; size < 5000; size += 501) {
        uint8_t *room = skr_buf_reserve (&buf, size);
        CHECK (room == buf.data + 3);
        memset (room, 'x', size); /* a sanitizer sees when it is too small */
        CHECK_INT (buf.size, 3);
    }
    CHECK (memcmp (buf.data, "abc", 3) == 0);
    skr_buf_free (&buf);
    CHECK (skr_buf_reserve (&buf, 0) != NULL);
    skr_buf_free (&buf);
}

static void failure_stays (void)
{
    skr_buf_t buf = {0};
    skr_buf_append (&buf, "abc", 3);
    CHECK (skr_buf_reserve (&buf, SIZE_MAX) == NULL);
    CHECK (buf.failed);
    skr_buf_append (&buf, "d", 1);
    CHECK (skr_buf_reserve (&buf, 1) == NULL);
    CHECK (buf.failed && buf.size == 3);
    CHECK (memcmp (buf.data, "abc", 3) == 0);
    skr_buf_clear (&buf);
    skr_buf_append (&buf, "e", 1);
    CHECK (!buf.failed && buf.size == 1 && buf.data[0] == 'e');
    skr_buf_free (&buf);
}

static void a_buf_is_emptied (void)
{
    static const skr_buf_t zero;
    skr_buf_t buf = {0};
    skr_buf_append (&buf, "abc", 3);
    uint8_t *data = buf.data;
    skr_buf_clear (&buf);
    CHECK (buf.data == data && buf.size == 0 && buf.capacity >= 3);
    skr_buf_free (&buf);
    CHECK (memcmp (&buf, &zero, sizeof buf) == 0);
    skr_buf_free (&buf);
    skr_buf_wipe (&buf);
    skr_buf_append (&buf, "secret", 6);
    skr_buf_wipe (&buf);
    CHECK (memcmp (&buf, &zero, sizeof buf) == 0);
}

static void ids_compare (void)
{
    skr_id_t one = {{0}}, other = {{0}};
    CHECK (skr_id_equal (&one, &other));
    for (int i = 0; i < 16; i++) {
        other.bytes[i] = 0x80; /* unsigned */
        CHECK (!skr_id_equal (&one, &other));
        CHECK (skr_id_compare (&one, &other) < 0 && skr_id_compare (&other, &one) > 0);
        one.bytes[i] = 0x7f;
        CHECK (skr_id_compare (&one, &other) < 0);
        one.bytes[i] = 0x80;
    }
    CHECK (skr_id_equal (&one, &other));
}

static void integers_are_big_endian (void)
{
    uint64_t state = check_seed ();
    uint8_t one[8], other[8];
    skr_put_u32 (one, 0x01020304);
    CHECK (memcmp (one, "\x01\x02\x03\x04", 4) == 0);
    skr_put_u64 (one, 0x0102030405060708);
    CHECK (memcmp (one, "\x01\x02\x03\x04\x05\x06\x07\x08", 8) == 0);
    for (int i = 0; i < 10000; i++) {
        uint64_t a = check_random (&state) >> check_random (&state) % 64;
        uint64_t b = check_random (&state) >> check_random (&state) % 64;
        skr_put_u64 (one, a);
        skr_put_u64 (other, b);
        CHECK (skr_get_u64 (one) == a);
        CHECK_INT (sign (memcmp (one, other, 8)), (a > b) - (a < b));
        skr_put_u32 (one, (uint32_t) a);
        CHECK (skr_get_u32 (one) == (uint32_t) a);
    }
}

static void hex_is_lower_case (void)
{
    char text[9];
    memset (text, 'x', sizeof text);
    skr_hex (text, (const uint8_t *) "\x00\x9a\xff\x0b", 4);
    CHECK_STR (text, "009aff0b");
    skr_hex (text, NULL, 0);
    CHECK_STR (text, "");
}

int main (int argc, char **argv)
{
    CHECK_BEGIN (argc, argv);
    RUN (spans_compare);
    RUN (spans_start);
    RUN (a_buf_grows);
    RUN (nothing_is_appended);
    RUN (room_is_reserved);
    RUN (failure_stays);
    RUN (a_buf_is_emptied);
    RUN (ids_compare);
    RUN (integers_are_big_endian);
    RUN (hex_is_lower_case);
    return CHECK_END ();
}
