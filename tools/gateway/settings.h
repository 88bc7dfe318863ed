/* Settings: what the gateway is told by the config of sakerd. It is off while there is no
   gateway-listen; webhooks are, while there is no hooks. */

#ifndef TOOLS_GATEWAY_SETTINGS_H_INCLUDED
#define TOOLS_GATEWAY_SETTINGS_H_INCLUDED

#include "gateway/allow.h"
#include "saker.h"

#include <netinet/in.h>
#include <sys/un.h>

#define SETTINGS_PLACES_MAX 8
#define SETTINGS_HOSTS_MAX 32
#define SETTINGS_HOST_SIZE 256
#define SETTINGS_CONNECTIONS_DEFAULT 12000
#define SETTINGS_CONNECTIONS_MAX 200000
#define SETTINGS_PER_ADDRESS_DEFAULT 256 /* for those from other machines */

/* Where the gateway listens. */
typedef struct place_to_listen_t {
    char text[SETTINGS_HOST_SIZE]; /* as it was given */
    bool local;                    /* the Unix socket in the store */
    bool loopback;
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address;
} place_to_listen_t;

typedef struct settings_t {
    place_to_listen_t places[SETTINGS_PLACES_MAX];
    size_t places_count;
    char hosts[SETTINGS_HOSTS_MAX][SETTINGS_HOST_SIZE]; /* names in the header Host, lower case */
    size_t hosts_count;
    char origins[SETTINGS_HOSTS_MAX][SETTINGS_HOST_SIZE];
    size_t origins_count;
    char tls_cert[4096], tls_key[4096]; /* files; "": no TLS */
    unsigned connections;
    unsigned connections_per_address;           /* 0: on loopback any number, else the default */
    char hooks[SAKER_COLLECTION_BYTES_MAX + 1]; /* the collection of subscriptions; "": none */
    allow_t hooks_allow;
    char hooks_authority[4096]; /* a file; "": those of the system */
    int64_t hooks_lease_ms, hooks_timeout_ms, hooks_log_age_ms, hooks_log_bytes;
} settings_t;

void settings_begin (settings_t *self);
/* The keys of the config, for saker_config_keys; their argument is a settings_t. */
extern const saker_config_key_t settings_keys[];
extern const size_t settings_keys_count;
/* What no single line can tell: does it fit together? Otherwise a sentence. */
saker_err_t settings_check (const settings_t *self, char sentence[SAKER_SENTENCE_MAX]);

#endif
