/* saker-bench [--json] [--documents N] [--plots FOLDER] [ROW ...]

   Every figure stands beside what the machine does at best at the same kind of work, measured in
   the same run: the machines are shared, so ratios say more than times. */

#include "bench/bench.h"
#include "bench/machines.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

bench_options_t bench_options = {.documents = 1000000};

static const bench_row_t *const tables[] = {bench_mesh_rows,    bench_history_rows,
                                            bench_crowd_rows,   bench_replica_rows,
                                            bench_million_rows, bench_growth_rows};
#define TABLES (sizeof tables / sizeof *tables)

static const bench_row_t *find_row (const char *name)
{
    for (size_t i = 0; i < TABLES; i++) {
        for (const bench_row_t *row = tables[i]; row->name; row++) {
            if (strcmp (row->name, name) == 0) {
                return row;
            }
        }
    }
    return NULL;
}

static void list_rows (FILE *file)
{
    for (size_t i = 0; i < TABLES; i++) {
        for (const bench_row_t *row = tables[i]; row->name; row++) {
            fprintf (file, "  %-18s %s\n", row->name, row->what);
        }
    }
}

static void help (void)
{
    printf (
        "saker-bench [--json] [--documents N] [--plots FOLDER] [ROW ...]\n\n"
        "Measures saker beside what this machine can do; all rows, or those that are named:\n\n");
    list_rows (stdout);
    printf ("\n  --json          one JSON object a line\n"
            "  --documents N   of the rows that say a million\n"
            "  --plots FOLDER  SVG files of the rows that begin with growth\n\n"
            "Example: saker-bench --documents 100000 snapshot store\n");
}

/* In a process of its own: a daemon that is forked begins with what its parent has. */
static int run_row (const bench_row_t *row)
{
    int status = 1;
    fflush (stdout);
    pid_t process = fork ();
    if (process == 0) {
        prctl (PR_SET_PDEATHSIG, SIGKILL);
        signal (SIGINT, SIG_DFL);
        bench_row (row->name);
        row->run ();
        bench_clean ();
        exit (0);
    }
    while (process > 0 && waitpid (process, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED (status) ? WEXITSTATUS (status) : 1;
}

static void parse (int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"documents", required_argument, NULL, 'd'},
                                            {"plots", required_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    for (int option; (option = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'j':
            bench_options.json = true;
            break;
        case 'd':
            bench_options.documents = strtoull (optarg, NULL, 10);
            break;
        case 'p':
            bench_options.plots = optarg;
            break;
        case 'h':
            help ();
            exit (0);
        default:
            exit (2);
        }
    }
    if (bench_options.plots && mkdir (bench_options.plots, 0777) != 0 && errno != EEXIST) {
        bench_info ("%s: %s", bench_options.plots, strerror (errno));
        exit (2);
    }
    if (bench_options.documents < 1000) {
        bench_info ("--documents: a number from 1000 on");
        exit (2);
    }
}

static int run_rows (int argc, char **argv)
{
    int status = 0;
    for (int i = optind; i < argc && status == 0; i++) {
        status = run_row (find_row (argv[i]));
    }
    for (size_t i = 0; optind == argc && i < TABLES; i++) {
        for (const bench_row_t *row = tables[i]; row->name && status == 0; row++) {
            status = run_row (row);
        }
    }
    return status;
}

/* What the rows leave is removed however they end. */
static int watch_over (int argc, char **argv)
{
    const char *root = getenv ("TMPDIR");
    snprintf (bench_options.folder, sizeof bench_options.folder, "%s/saker-bench-XXXXXX",
              root ? root : "/tmp");
    if (!mkdtemp (bench_options.folder)) {
        bench_info ("%s: %s", bench_options.folder, strerror (errno));
        return 1;
    }
    signal (SIGINT, SIG_IGN);
    int status = run_rows (argc, argv);
    bench_remove (bench_options.folder);
    return status;
}

int main (int argc, char **argv)
{
    parse (argc, argv);
    for (int i = optind; i < argc; i++) {
        if (!find_row (argv[i])) {
            bench_info ("there is no row %s; there are:", argv[i]);
            list_rows (stderr);
            return 2;
        }
    }
    return watch_over (argc, argv);
}
