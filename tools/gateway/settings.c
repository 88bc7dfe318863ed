#include "gateway/settings.h"

#include "gateway/deliver.h"
#include "gateway/diary.h"
#include "gateway/lease.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static saker_err_t wrong (char sentence[SAKER_SENTENCE_MAX], const char *value, const char *what)
{
    snprintf (sentence, SAKER_SENTENCE_MAX, "'%.100s' %s", value, what);
    return SAKER_EINPUT;
}

void settings_begin (settings_t *self)
{
    memset (self, 0, sizeof *self);
    self->connections = SETTINGS_CONNECTIONS_DEFAULT;
    self->hooks_lease_ms = LEASE_DEFAULT_MS;
    self->hooks_timeout_ms = DELIVER_DEFAULT_MS;
    self->hooks_log_age_ms = DIARY_AGE_DEFAULT_MS;
    self->hooks_log_bytes = DIARY_BYTES_DEFAULT;
}

/* ---- gateway-listen */

/* Splits ADDR:PORT or [ADDR]:PORT. */
static bool split_address (const char *value, char host[64], unsigned long *port)
{
    const char *colon = strrchr (value, ':');
    char *end;
    bool brackets = *value == '[';
    if (!colon || !isdigit ((unsigned char) colon[1])) {
        return false;
    }
    *port = strtoul (colon + 1, &end, 10);
    size_t size = (size_t) (colon - value);
    if (brackets && (size < 2 || value[size - 1] != ']')) {
        return false;
    }
    size -= brackets ? 2 : 0;
    if (*end || *port > 65535 || size < 1 || size >= 64) {
        return false;
    }
    memcpy (host, value + brackets, size);
    host[size] = 0;
    return true;
}

static bool take_address (place_to_listen_t *place, const char *host, unsigned long port)
{
    if (inet_pton (AF_INET, host, &place->address.four.sin_addr) == 1) {
        place->address.four.sin_family = AF_INET;
        place->address.four.sin_port = htons ((uint16_t) port);
        place->size = sizeof place->address.four;
        place->loopback = ntohl (place->address.four.sin_addr.s_addr) >> 24 == 127;
        return true;
    }
    if (inet_pton (AF_INET6, host, &place->address.six.sin6_addr) == 1) {
        place->address.six.sin6_family = AF_INET6;
        place->address.six.sin6_port = htons ((uint16_t) port);
        place->size = sizeof place->address.six;
        place->loopback = IN6_IS_ADDR_LOOPBACK (&place->address.six.sin6_addr);
        return true;
    }
    return false;
}

static saker_err_t set_listen (void *argument, const char *value, char sentence[SAKER_SENTENCE_MAX])
{
    settings_t *self = argument;
    char host[64];
    unsigned long port;
    if (self->places_count == SETTINGS_PLACES_MAX) {
        return wrong (sentence, value, "is one too many: the gateway listens at 8 places at most");
    }
    place_to_listen_t place = {.local = strcmp (value, "unix") == 0};
    if (!place.local
        && (!split_address (value, host, &port) || !take_address (&place, host, port))) {
        return wrong (sentence, value,
                      "is no place to listen: write unix, or ADDR:PORT as in 127.0.0.1:8677");
    }
    snprintf (place.text, sizeof place.text, "%s", value);
    self->places[self->places_count++] = place;
    return SAKER_OK;
}

/* ---- hosts and origins */

static bool is_name (const char *text)
{
    size_t size = strlen (text);
    return size >= 1 && size < SETTINGS_HOST_SIZE
           && strspn (text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._[]:")
                  == size;
}

static void put_lower (char *to, const char *from)
{
    size_t i = 0;
    for (; from[i] && i + 1 < SETTINGS_HOST_SIZE; i++) {
        to[i] = (char) tolower ((unsigned char) from[i]);
    }
    to[i] = 0;
}

static saker_err_t set_host (void *argument, const char *value, char sentence[SAKER_SENTENCE_MAX])
{
    settings_t *self = argument;
    if (!is_name (value) || (*value != '[' && strchr (value, ':'))) {
        return wrong (sentence, value,
                      "is no name of a host: write it as in a URL, without the port");
    }
    if (self->hosts_count == SETTINGS_HOSTS_MAX) {
        return wrong (sentence, value, "is one too many: there are 32 hosts at most");
    }
    put_lower (self->hosts[self->hosts_count++], value);
    return SAKER_OK;
}

static saker_err_t set_origin (void *argument, const char *value, char sentence[SAKER_SENTENCE_MAX])
{
    settings_t *self = argument;
    const char *rest = strncmp (value, "https://", 8) == 0  ? value + 8
                       : strncmp (value, "http://", 7) == 0 ? value + 7
                                                            : "";
    if (!is_name (rest)) {
        return wrong (sentence, value,
                      "is no origin of web pages: write it as in https://tools.studio.example");
    }
    if (self->origins_count == SETTINGS_HOSTS_MAX) {
        return wrong (sentence, value, "is one too many: there are 32 origins at most");
    }
    put_lower (self->origins[self->origins_count++], value);
    return SAKER_OK;
}

/* ---- TLS */

static saker_err_t set_file (char to[4096], const char *value, char sentence[SAKER_SENTENCE_MAX])
{
    if (*value != '/' || strlen (value) >= 4096) {
        return wrong (sentence, value, "is no file: write its whole path, from / on");
    }
    snprintf (to, 4096, "%s", value);
    return SAKER_OK;
}

static saker_err_t set_cert (void *argument, const char *value, char sentence[SAKER_SENTENCE_MAX])
{
    return set_file (((settings_t *) argument)->tls_cert, value, sentence);
}

static saker_err_t set_key (void *argument, const char *value, char sentence[SAKER_SENTENCE_MAX])
{
    return set_file (((settings_t *) argument)->tls_key, value, sentence);
}

/* ---- limits */

static saker_err_t set_number (unsigned *to, const char *value, char sentence[SAKER_SENTENCE_MAX])
{
    char *end;
    unsigned long number = strtoul (value, &end, 10);
    if (!isdigit ((unsigned char) *value) || *end || number < 1
        || number > SETTINGS_CONNECTIONS_MAX) {
        return wrong (sentence, value, "is no number of connections from 1 to 200000");
    }
    *to = (unsigned) number;
    return SAKER_OK;
}

static saker_err_t set_connections (void *argument, const char *value,
                                    char sentence[SAKER_SENTENCE_MAX])
{
    return set_number (&((settings_t *) argument)->connections, value, sentence);
}

static saker_err_t set_per_address (void *argument, const char *value,
                                    char sentence[SAKER_SENTENCE_MAX])
{
    return set_number (&((settings_t *) argument)->connections_per_address, value, sentence);
}

/* ---- webhooks */

static saker_err_t set_hooks (void *argument, const char *value, char sentence[SAKER_SENTENCE_MAX])
{
    settings_t *self = argument;
    if (strlen (value) >= sizeof self->hooks || *value == '@') {
        return wrong (sentence, value,
                      "is no collection: write hooks = hooks, or another one for subscriptions");
    }
    snprintf (self->hooks, sizeof self->hooks, "%s", value);
    return SAKER_OK;
}

static saker_err_t set_allow (void *argument, const char *value, char sentence[SAKER_SENTENCE_MAX])
{
    const char *what = allow_add (&((settings_t *) argument)->hooks_allow, value);
    return what ? wrong (sentence, value, what) : SAKER_OK;
}

static saker_err_t set_authority (void *argument, const char *value,
                                  char sentence[SAKER_SENTENCE_MAX])
{
    return set_file (((settings_t *) argument)->hooks_authority, value, sentence);
}

typedef struct unit_t {
    const char *name;
    int64_t factor;
} unit_t;

/* A number with a unit, within bounds. The list of units ends with a NULL name. */
static bool take_amount (const char *value, const unit_t *units, int64_t min, int64_t max,
                         int64_t *amount)
{
    size_t digits = strspn (value, "0123456789");
    for (; digits > 0 && digits < 10 && units->name; units++) {
        if (strcmp (value + digits, units->name) == 0) {
            *amount = strtoll (value, NULL, 10) * units->factor;
            return *amount >= min && *amount <= max;
        }
    }
    return false;
}

static const unit_t times[] = {{"ms", 1},          {"s", 1000},         {"m", 60 * 1000},
                               {"h", 3600 * 1000}, {"d", 86400 * 1000}, {NULL, 0}};
static const unit_t sizes[] = {{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};

static saker_err_t set_lease (void *argument, const char *value, char sentence[SAKER_SENTENCE_MAX])
{
    settings_t *self = argument;
    return take_amount (value, times, LEASE_MIN_MS, LEASE_MAX_MS, &self->hooks_lease_ms)
               ? SAKER_OK
               : wrong (sentence, value, "is no time from 3s to 1h: write it as in 30s");
}

static saker_err_t set_timeout (void *argument, const char *value,
                                char sentence[SAKER_SENTENCE_MAX])
{
    settings_t *self = argument;
    return take_amount (value, times, 100, 60000, &self->hooks_timeout_ms)
               ? SAKER_OK
               : wrong (sentence, value, "is no time from 100ms to 60s: write it as in 15s");
}

static saker_err_t set_log_age (void *argument, const char *value,
                                char sentence[SAKER_SENTENCE_MAX])
{
    settings_t *self = argument;
    return take_amount (value, times, 1000, INT64_C (3650) * 86400000, &self->hooks_log_age_ms)
               ? SAKER_OK
               : wrong (sentence, value, "is no time from 1s to 3650d: write it as in 14d");
}

static saker_err_t set_log_size (void *argument, const char *value,
                                 char sentence[SAKER_SENTENCE_MAX])
{
    settings_t *self = argument;
    return take_amount (value, sizes, 16 << 10, INT64_C (1) << 40, &self->hooks_log_bytes)
               ? SAKER_OK
               : wrong (sentence, value, "is no size from 16K on: write it as in 16M");
}

const saker_config_key_t settings_keys[] = {
    {"gateway-listen", set_listen},
    {"gateway-host", set_host},
    {"gateway-origin", set_origin},
    {"gateway-tls-cert", set_cert},
    {"gateway-tls-key", set_key},
    {"gateway-connections", set_connections},
    {"gateway-connections-per-address", set_per_address},
    {"hooks", set_hooks},
    {"hooks-allow", set_allow},
    {"hooks-authority", set_authority},
    {"hooks-lease", set_lease},
    {"hooks-timeout", set_timeout},
    {"hooks-log-age", set_log_age},
    {"hooks-log-size", set_log_size},
};
const size_t settings_keys_count = sizeof settings_keys / sizeof *settings_keys;

saker_err_t settings_check (const settings_t *self, char sentence[SAKER_SENTENCE_MAX])
{
    bool tls = *self->tls_cert && *self->tls_key;
    if (!tls && (*self->tls_cert || *self->tls_key)) {
        snprintf (sentence, SAKER_SENTENCE_MAX,
                  "gateway-tls-cert and gateway-tls-key go together: give the other one too");
        return SAKER_EINPUT;
    }
    for (size_t i = 0; i < self->places_count; i++) {
        const place_to_listen_t *place = &self->places[i];
        if (!place->local && !place->loopback && !tls) {
            snprintf (sentence, SAKER_SENTENCE_MAX,
                      "gateway-listen: other machines can reach %s: give gateway-tls-cert and "
                      "gateway-tls-key too, or listen on 127.0.0.1",
                      place->text);
            return SAKER_EINPUT;
        }
    }
    return SAKER_OK;
}
