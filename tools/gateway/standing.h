/* Standing: how this peer and the mesh are, as the daemon tells it, in bounded memory. */

#ifndef TOOLS_GATEWAY_STANDING_H_INCLUDED
#define TOOLS_GATEWAY_STANDING_H_INCLUDED

#include "gateway/request.h"

#define STANDING_COLLECTIONS_MAX 200
#define STANDING_PEERS_MAX 500
#define STANDING_NUMBERS_MAX 80
#define STANDING_TEXT_SIZE 80

/* A number of the status that becomes a metric. */
typedef struct standing_number_t {
    const char *pointer; /* in the status */
    const char *name;    /* of the metric */
    const char *type;    /* counter or gauge */
    const char *help;
    double unit;               /* that it is told in: 1, or 0.001 for milliseconds */
    const char *label, *value; /* or NULL; such lines stand together */
} standing_number_t;

/* Ended by a NULL pointer. */
extern const standing_number_t standing_numbers[];

typedef struct standing_collection_t {
    char name[SAKER_COLLECTION_BYTES_MAX + 1];
    int64_t documents, changes, conflicts, log_bytes;
} standing_collection_t;

typedef struct standing_peer_t {
    char name[STANDING_TEXT_SIZE], id[17], role[8], link[8], address[STANDING_TEXT_SIZE];
    int64_t seen_ms, behind, lag_ms, rtt_us; /* -1: unknown */
} standing_peer_t;

typedef struct standing_t {
    int64_t numbers[STANDING_NUMBERS_MAX]; /* -1: not told */
    bool twin;                             /* another process runs as this device */
    char mesh[STANDING_TEXT_SIZE], mesh_id[33];
    char device[STANDING_TEXT_SIZE], device_id[17], role[8];
    standing_collection_t *collections; /* what the token may see; owned */
    size_t collections_count, collections_left_out;
    standing_peer_t *peers; /* owned */
    size_t peers_count, peers_left_out;
    const request_t *request;
} standing_t;

/* Asks the daemon; leaves out the collections that are not for the request's token. To be freed in
   any case. */
saker_err_t standing_read (standing_t *self, const request_t *request, call_t *call);
void standing_free (standing_t *self);
/* A number of the status by its pointer; -1: it was not told. */
int64_t standing_number (const standing_t *self, const char *pointer);

#endif
