/* A test program: test functions, run by name, counted. It ends with a line
   "N passed, N failed, N skipped" and exit status 0, 1 (failed) or 77 (all skipped).

     static void clock_merges (void) { CHECK (...); CHECK_OK (...); }
     int main (int argc, char **argv)
     {
         CHECK_BEGIN (argc, argv);
         RUN (clock_merges);
         return CHECK_END ();
     }

   With arguments, only the tests named are run. Random tests take their seed from check_seed (),
   which is printed with each failure: SEED=n replays it. */

#ifndef TESTS_CHECK_H_INCLUDED
#define TESTS_CHECK_H_INCLUDED

#include "crdt/err.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int check_passed, check_failed, check_skipped, check_argc;
static char **check_argv;
static const char *check_name;
static int check_bad;          /* failures in this test */
static const char *check_skip; /* reason */

static inline uint64_t check_seed (void)
{
    static uint64_t seed;
    if (!seed) {
        const char *text = getenv ("SEED");
        seed = text ? strtoull (text, NULL, 10) : (uint64_t) time (NULL);
        seed += !seed;
    }
    return seed;
}

/* xorshift64*: repeatable randomness for tests. */
static inline uint64_t check_random (uint64_t *state)
{
    uint64_t x = *state ? *state : 88172645463325252ull;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 2685821657736338717ull;
}

#define CHECK_FAIL(...)                                                                            \
    do {                                                                                           \
        check_bad++;                                                                               \
        printf ("%s:%d: %s: ", __FILE__, __LINE__, check_name);                                    \
        printf (__VA_ARGS__);                                                                      \
        printf ("  (SEED=%llu)\n", (unsigned long long) check_seed ());                            \
    } while (0)

/* Fails the test and leaves it. For use in test functions, which return void. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            CHECK_FAIL ("not true: %s", #condition);                                               \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define CHECK_INT(got, wanted)                                                                     \
    do {                                                                                           \
        long long check_got = (long long) (got), check_wanted = (long long) (wanted);              \
        if (check_got != check_wanted) {                                                           \
            CHECK_FAIL ("%s is %lld, not %lld", #got, check_got, check_wanted);                    \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define CHECK_STR(got, wanted)                                                                     \
    do {                                                                                           \
        const char *check_got = (got), *check_wanted = (wanted);                                   \
        if (strcmp (check_got, check_wanted) != 0) {                                               \
            CHECK_FAIL ("%s is \"%s\", not \"%s\"", #got, check_got, check_wanted);                \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* The call returns SAKER_OK. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        saker_err_t check_error = (call);                                                          \
        if (check_error != SAKER_OK) {                                                             \
            CHECK_FAIL ("%s: error %d: %s", #call, (int) check_error, skr_error ());               \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* The call returns this error, and its sentence contains these words. */
#define CHECK_ERR(call, wanted, words)                                                             \
    do {                                                                                           \
        saker_err_t check_error = (call);                                                          \
        if (check_error != (wanted)) {                                                             \
            CHECK_FAIL ("%s: error %d, not %s", #call, (int) check_error, #wanted);                \
            return;                                                                                \
        }                                                                                          \
        if (!strstr (skr_error (), (words))) {                                                     \
            CHECK_FAIL ("%s: \"%s\" lacks \"%s\"", #call, skr_error (), (words));                  \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define CHECK_SKIP(reason)                                                                         \
    do {                                                                                           \
        check_skip = (reason);                                                                     \
        return;                                                                                    \
    } while (0)

#define CHECK_BEGIN(argc, argv)                                                                    \
    do {                                                                                           \
        check_argc = (argc);                                                                       \
        check_argv = (argv);                                                                       \
    } while (0)

static inline void check_run (const char *name, void (*test) (void))
{
    for (int i = 1; i < check_argc; i++) {
        if (strcmp (check_argv[i], name) == 0) {
            break;
        }
        if (i == check_argc - 1) {
            return;
        }
    }
    check_name = name;
    check_bad = 0;
    check_skip = NULL;
    test ();
    if (check_bad) {
        check_failed++;
        printf ("not ok: %s\n", name);
    } else if (check_skip) {
        check_skipped++;
        printf ("skipped: %s: %s\n", name, check_skip);
    } else {
        check_passed++;
    }
    fflush (stdout);
}

#define RUN(test) check_run (#test, test)

static inline int check_end (void)
{
    printf ("%d passed, %d failed, %d skipped\n", check_passed, check_failed, check_skipped);
    return check_failed ? 1 : check_passed ? 0 : 77;
}

#define CHECK_END() check_end ()

#endif
