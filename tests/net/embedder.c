/* embedder STORE [KEY=VALUE]...: a program that embeds a replica, with these settings, and no
   beacon unless they name one. Says "ready", then does what its lines say:

     write NAME     writes documents NAME-1, NAME-2 ..., and prints each number that was
   acknowledged, until it is killed close          ends, as at the end of its input */

#include "saker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail (void)
{
    fprintf (stderr, "embedder: %s\n", saker_error_text ());
    return 1;
}

static void say (int level, const char *message, void *argument)
{
    (void) argument;
    fprintf (stderr, "%d %s\n", level, message);
}

static saker_config_t *configure (int argc, char **argv)
{
    saker_config_t *config = saker_config_new ();
    saker_err_t error = saker_config_set (config, "beacon", "no");
    for (int i = 2; i < argc && error == SAKER_OK; i++) {
        char *sign = strchr (argv[i], '=');
        if (sign) {
            *sign = 0;
            error = saker_config_set (config, argv[i], sign + 1);
        }
    }
    if (error != SAKER_OK) {
        saker_config_destroy (&config);
    }
    return config;
}

static saker_err_t write_one (saker_t *saker, const char *name, long long number)
{
    char document[300];
    saker_value_t value = {.type = SAKER_INT, .as.integer = number};
    saker_batch_t *batch = saker_batch_new ("load");
    snprintf (document, sizeof document, "%s-%lld", name, number);
    saker_err_t error = saker_batch_set (batch, document, "/n", &value);
    error = error == SAKER_OK ? saker_batch_incr (batch, "total", "/count", 1) : error;
    error = error == SAKER_OK ? saker_write (saker, batch, NULL) : error;
    saker_batch_destroy (&batch);
    return error;
}

/* The replica is in this process: what kills the one kills the other. */
static int write_on (saker_t *saker, const char *name)
{
    for (long long number = 1;; number++) {
        if (write_one (saker, name, number) != SAKER_OK) {
            return fail ();
        }
        printf ("%lld\n", number);
        fflush (stdout);
    }
}

int main (int argc, char **argv)
{
    char line[256];
    saker_t *saker = NULL;
    if (argc < 2) {
        fprintf (stderr, "usage: embedder STORE [KEY=VALUE]...\n");
        return 2;
    }
    saker_config_t *config = configure (argc, argv);
    if (!config) {
        return fail ();
    }
    saker_err_t error = saker_open_embedded (&saker, argv[1], config, say, NULL);
    saker_config_destroy (&config);
    if (error != SAKER_OK) {
        fail ();
        return (int) error;
    }
    puts ("ready");
    fflush (stdout);
    while (fgets (line, sizeof line, stdin)) {
        line[strcspn (line, "\n")] = 0;
        if (strncmp (line, "write ", 6) == 0) {
            return write_on (saker, line + 6);
        }
        if (strcmp (line, "close") == 0) {
            break;
        }
    }
    saker_close (&saker);
    return 0;
}
