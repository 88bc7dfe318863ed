/* Machines: daemons on 127.0.0.1, each a process of its own on a store of its own, in one temporary
   folder; every write is durable where it is counted. Whatever fails ends the program. */

#ifndef BENCH_MACHINES_H_INCLUDED
#define BENCH_MACHINES_H_INCLUDED

#include "saker.h"

#include <sys/types.h>

#define BENCH_TIMEOUT_MS 600000

typedef struct machine_t {
    char name[16];
    char store[512];
    char address[128]; /* since it ran first: the same from then on */
    pid_t process;     /* 0: it does not run */
    saker_t *saker;    /* open while it runs */
} machine_t;

/* A mesh of `count` stores, not running. The folder goes with bench_mesh_end. */
typedef struct mesh_t {
    char folder[256];
    machine_t *machines;
    size_t count;
} mesh_t;

void bench_mesh_begin (mesh_t *self, size_t count);
/* The same, with all of them running and linked. */
void bench_mesh_run (mesh_t *self, size_t count);
void bench_mesh_end (mesh_t *self);
/* One machine more joins, through the first, which runs. */
void bench_mesh_join (mesh_t *self, machine_t *machine, const char *name);

/* `seed`: whom to call first; NULL: nobody. */
void bench_start (machine_t *self, const machine_t *seed);
void bench_stop (machine_t *self);
/* Stops whatever runs and removes what is left: before the program ends. */
void bench_clean (void);

/* A folder with all that is in it. */
void bench_remove (const char *folder);

/* Ends the program unless this is SAKER_OK. */
void bench_must (saker_err_t error, const char *what);
void bench_die (const char *what);

/* A number of `saker status`; 0 when it is not there. */
double bench_status (const machine_t *self, const char *pointer);
/* A line of /proc/PID/smaps_rollup, in MiB. */
double bench_memory_mib (const machine_t *self, const char *line);
/* Processor time of the daemon so far, all threads; and of all daemons. */
double bench_processor_us (const machine_t *self);
double bench_processors_us (const mesh_t *mesh);
/* Size on disk of the files of the store. */
double bench_store_bytes (const machine_t *self);

/* ---- documents of five short fields */

void bench_put_document (saker_batch_t *batch, const char *document, uint64_t number);
/* Bytes of such a document as canonical JSON. */
size_t bench_document_bytes (uint64_t number);
/* Documents `first` to before `end`, 100 a change. */
void bench_write_documents (const machine_t *self, const char *collection, uint64_t first,
                            uint64_t end);
/* One number in each of the documents `first` to before `end`, 100 a change. */
void bench_write_numbers (const machine_t *self, const char *collection, uint64_t first,
                          uint64_t end, uint64_t number);
/* Waits until all members have stored what this machine has. */
void bench_wait (const machine_t *self);

/* Times how long one change written on `from` takes until a watcher of `to` sees it. */
typedef struct bench_watch_t {
    const machine_t *from, *to;
    const char *collection;
    saker_cursor_t cursor;
} bench_watch_t;
void bench_watch_begin (bench_watch_t *self, const machine_t *from, const machine_t *to,
                        const char *collection);
/* Writes the batch; *local_us: until it was acknowledged. Returns microseconds until it was seen.
 */
double bench_watch_write (bench_watch_t *self, const saker_batch_t *batch, double *local_us);

#endif
