/* Config: what a daemon is told, by a file of `key = value` lines and by its command line. One
   table of keys serves the file, the command line and the error messages. */

#ifndef SKR_MESH_CONFIG_H_INCLUDED
#define SKR_MESH_CONFIG_H_INCLUDED

#include "mesh/wire.h"
#include "peer/cutter.h"

#define SKR_CONFIG_SEEDS_MAX 64
#define SKR_CONFIG_INTERFACES_MAX 16
#define SKR_CONFIG_INTERFACE_BYTES_MAX 15 /* IFNAMSIZ without its zero */
#define SKR_CONFIG_PROGRAM_BYTES_MAX 16384
#define SKR_LISTEN_DEFAULT "tcp://*:5677"
#define SKR_LISTEN_NONE "none" /* it calls others, and nobody can call it */
#define SKR_BEACON_PORT_DEFAULT 5670
#define SKR_HORIZON_MS_DEFAULT (30ull * 24 * 3600 * 1000)

struct saker_config_t {
    char listen[SKR_WIRE_ADDRESS_BYTES_MAX + 1]; /* or SKR_LISTEN_NONE */
    char seeds[SKR_CONFIG_SEEDS_MAX][SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    size_t seeds_count;
    char interfaces[SKR_CONFIG_INTERFACES_MAX][SKR_CONFIG_INTERFACE_BYTES_MAX + 1];
    size_t interfaces_count; /* 0: the first that broadcasts */
    bool beacon;
    uint16_t beacon_port;
    skr_level_t log_level;
    uint64_t history_ms; /* of changes that all members have stored */
    uint64_t horizon_ms; /* for which an admin's peer waits for who is away; 0: for ever */
    bool folds;          /* counters below the cut */
    const saker_config_key_t *program_keys;
    size_t program_keys_count;
    void *program;
    char program_text[SKR_CONFIG_PROGRAM_BYTES_MAX]; /* what was set of them: key, 0, value, 0 */
    size_t program_bytes;
    uint64_t history_bytes; /* of the log, at which less is kept; 0: any number */
};

#endif
