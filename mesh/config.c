#include "mesh/config.h"

#include "peer/nearest.h"

#include "mesh/sockets.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 1024

/* ---- one function a key */

static saker_err_t set_listen (saker_config_t *self, const char *value)
{
    char host[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    uint16_t port;
    if (strcmp (value, SKR_LISTEN_NONE) != 0
        && skr_address_split (value, host, sizeof host, &port) != SAKER_OK) {
        return skr_fail (SAKER_EINPUT, "'%.100s' is neither tcp://ADDR:PORT nor none", value);
    }
    snprintf (self->listen, sizeof self->listen, "%s", value);
    return SAKER_OK;
}

static saker_err_t set_seed (saker_config_t *self, const char *value)
{
    char host[SKR_WIRE_ADDRESS_BYTES_MAX + 1];
    uint16_t port;
    SKR_TRY (skr_address_split (value, host, sizeof host, &port));
    if (!port || strcmp (host, "*") == 0) {
        return skr_fail (SAKER_EINPUT, "'%s' is not an address that can be called", value);
    }
    if (self->seeds_count == SKR_CONFIG_SEEDS_MAX) {
        return skr_fail (SAKER_ELIMIT, "at most %d seeds", SKR_CONFIG_SEEDS_MAX);
    }
    snprintf (self->seeds[self->seeds_count++], sizeof self->seeds[0], "%s", value);
    return SAKER_OK;
}

static saker_err_t set_interface (saker_config_t *self, const char *value)
{
    size_t size = strlen (value);
    if (size < 1 || size > SKR_CONFIG_INTERFACE_BYTES_MAX || strpbrk (value, " /")) {
        return skr_fail (SAKER_EINPUT, "'%.40s' is not the name of a network interface", value);
    }
    if (self->interfaces_count == SKR_CONFIG_INTERFACES_MAX) {
        return skr_fail (SAKER_ELIMIT, "at most %d interfaces", SKR_CONFIG_INTERFACES_MAX);
    }
    snprintf (self->interfaces[self->interfaces_count++], sizeof self->interfaces[0], "%s", value);
    return SAKER_OK;
}

static saker_err_t set_beacon (saker_config_t *self, const char *value)
{
    bool yes = strcmp (value, "yes") == 0;
    if (!yes && strcmp (value, "no") != 0) {
        return skr_fail (SAKER_EINPUT, "'%.40s' is neither yes nor no", value);
    }
    self->beacon = yes;
    return SAKER_OK;
}

static saker_err_t set_beacon_port (saker_config_t *self, const char *value)
{
    char *end;
    unsigned long port = strtoul (value, &end, 10);
    if (!isdigit ((unsigned char) *value) || *end || port < 1 || port > 65535) {
        return skr_fail (SAKER_EINPUT, "'%.40s' is not a port (1 to 65535)", value);
    }
    self->beacon_port = (uint16_t) port;
    return SAKER_OK;
}

static saker_err_t set_log_level (saker_config_t *self, const char *value)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp (value, levels[i]) == 0) {
            self->log_level = (skr_level_t) i;
            return SAKER_OK;
        }
    }
    return skr_fail (SAKER_EINPUT, "'%.40s' is not error, warning, info or debug", value);
}

/* A number and one of some units, which ascend; `units` ends with a NULL. */
typedef struct unit_t {
    const char *text;
    uint64_t factor;
} unit_t;

static saker_err_t get_amount (const char *value, const unit_t *units, uint64_t *amount)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull (value, &end, 10);
    if (!isdigit ((unsigned char) *value) || errno) {
        return skr_fail (SAKER_EINPUT, "'%.40s' is not a number with a unit", value);
    }
    if (number == 0 && !*end) {
        *amount = 0;
        return SAKER_OK;
    }
    for (; units->text; units++) {
        if (strcmp (end, units->text) == 0 && number <= INT64_MAX / units->factor) {
            *amount = number * units->factor;
            return SAKER_OK;
        }
    }
    return skr_fail (SAKER_EINPUT, "'%.40s' has no unit that is known here, or is too much", value);
}

static const unit_t times[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                               {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

static saker_err_t set_history (saker_config_t *self, const char *value)
{
    return get_amount (value, times, &self->history_ms);
}

static saker_err_t set_horizon (saker_config_t *self, const char *value)
{
    return get_amount (value, times, &self->horizon_ms);
}

static const unit_t sizes[] = {
    {"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30}, {"T", 1ull << 40}, {NULL, 0}};

static saker_err_t set_history_size (saker_config_t *self, const char *value)
{
    return get_amount (value, sizes, &self->history_bytes);
}

static saker_err_t set_folds (saker_config_t *self, const char *value)
{
    bool yes = strcmp (value, "yes") == 0;
    if (!yes && strcmp (value, "no") != 0) {
        return skr_fail (SAKER_EINPUT, "'%.40s' is neither yes nor no", value);
    }
    self->folds = yes;
    return SAKER_OK;
}

static const struct {
    const char *name;
    saker_err_t (*set) (saker_config_t *self, const char *value);
} keys[] = {
    {"listen", set_listen},           {"seed", set_seed},
    {"interface", set_interface},     {"beacon", set_beacon},
    {"beacon-port", set_beacon_port}, {"log-level", set_log_level},
    {"history", set_history},         {"history-size", set_history_size},
    {"horizon", set_horizon},         {"fold-counters", set_folds},
};

#define KEYS (sizeof keys / sizeof keys[0])

/* Keys of the library first, then the program's. */
static const char *key_name (const saker_config_t *self, size_t number)
{
    return number < KEYS ? keys[number].name : self->program_keys[number - KEYS].name;
}

static saker_err_t unknown_key (const saker_config_t *self, const char *key)
{
    char names[LINE_BYTES_MAX] = "";
    size_t used = 0;
    skr_nearest_t nearest;
    skr_nearest_begin (&nearest, key);
    for (size_t i = 0; i < KEYS + self->program_keys_count; i++) {
        const char *name = key_name (self, i);
        skr_nearest_look (&nearest, name);
        if (used + strlen (name) + 3 < sizeof names) {
            used += (size_t) snprintf (names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                       name);
        }
    }
    return *nearest.name
               ? skr_fail (SAKER_EINPUT, "unknown key '%.40s': did you mean '%s'?", key,
                           nearest.name)
               : skr_fail (SAKER_EINPUT, "unknown key '%.40s': the keys are %s", key, names);
}

static saker_err_t set_program_key (saker_config_t *self, const saker_config_key_t *key,
                                    const char *value)
{
    char sentence[SAKER_SENTENCE_MAX] = "";
    size_t name_size = strlen (key->name) + 1, size = strlen (value) + 1;
    if (name_size + size > sizeof self->program_text - self->program_bytes) {
        return skr_fail (SAKER_ELIMIT, "%s: too many settings", key->name);
    }
    saker_err_t error = key->set (self->program, value, sentence);
    if (error != SAKER_OK) {
        return skr_fail (error, "%s: %s", key->name, sentence);
    }
    char *end = self->program_text + self->program_bytes;
    memcpy (end, key->name, name_size);
    memcpy (end + name_size, value, size);
    self->program_bytes += name_size + size;
    return SAKER_OK;
}

void saker_config_keys (saker_config_t *self, const saker_config_key_t *program_keys, size_t count,
                        void *argument)
{
    self->program_keys = program_keys;
    self->program_keys_count = count;
    self->program = argument;
}

saker_err_t saker_config_set (saker_config_t *self, const char *key, const char *value)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp (key, keys[i].name) == 0) {
            return skr_wrap (keys[i].set (self, value), "%s", key);
        }
    }
    for (size_t i = 0; i < self->program_keys_count; i++) {
        if (strcmp (key, self->program_keys[i].name) == 0) {
            return set_program_key (self, &self->program_keys[i], value);
        }
    }
    return unknown_key (self, key);
}

/* ---- and back */

typedef struct telling_t {
    saker_setting_fn *setting_fn;
    void *argument;
    bool stopped;
} telling_t;

static void tell (telling_t *telling, const char *key, const char *value)
{
    if (!telling->stopped) {
        telling->stopped = telling->setting_fn (key, value, telling->argument) != 0;
    }
}

static void tell_amount (telling_t *telling, const char *key, uint64_t amount, const unit_t *units)
{
    char text[32];
    const unit_t *fit = units;
    for (; units->text; units++) {
        fit = amount % units->factor == 0 ? units : fit;
    }
    snprintf (text, sizeof text, "%llu%s", (unsigned long long) (amount / fit->factor),
              amount ? fit->text : "");
    tell (telling, key, text);
}

void saker_config_each (const saker_config_t *self, saker_setting_fn *setting_fn, void *argument)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    telling_t telling = {setting_fn, argument, false};
    char port[16];
    snprintf (port, sizeof port, "%u", self->beacon_port);
    tell (&telling, "listen", self->listen);
    tell (&telling, "beacon", self->beacon ? "yes" : "no");
    tell (&telling, "beacon-port", port);
    for (size_t i = 0; i < self->seeds_count; i++) {
        tell (&telling, "seed", self->seeds[i]);
    }
    for (size_t i = 0; i < self->interfaces_count; i++) {
        tell (&telling, "interface", self->interfaces[i]);
    }
    tell (&telling, "log-level", levels[self->log_level]);
    tell_amount (&telling, "history", self->history_ms, times);
    tell_amount (&telling, "history-size", self->history_bytes, sizes);
    tell_amount (&telling, "horizon", self->horizon_ms, times);
    tell (&telling, "fold-counters", self->folds ? "yes" : "no");
    for (size_t at = 0; at < self->program_bytes;) {
        const char *key = self->program_text + at, *value = key + strlen (key) + 1;
        tell (&telling, key, value);
        at = (size_t) (value - self->program_text) + strlen (value) + 1;
    }
}

saker_config_t *saker_config_new (void)
{
    saker_config_t *self = calloc (1, sizeof *self);
    if (self) {
        snprintf (self->listen, sizeof self->listen, SKR_LISTEN_DEFAULT);
        self->beacon = true;
        self->beacon_port = SKR_BEACON_PORT_DEFAULT;
        self->log_level = SKR_LOG_INFO;
        self->history_ms = SKR_HISTORY_MS_DEFAULT;
        self->history_bytes = SKR_HISTORY_BYTES_DEFAULT;
        self->horizon_ms = SKR_HORIZON_MS_DEFAULT;
    } else {
        skr_fail (SAKER_ENOMEM, "out of memory");
    }
    return self;
}

int saker_config_log_level (const saker_config_t *self)
{
    return (int) self->log_level;
}

void saker_config_destroy (saker_config_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

/* ---- files */

static char *trim (char *text)
{
    while (isspace ((unsigned char) *text)) {
        text++;
    }
    size_t size = strlen (text);
    while (size && isspace ((unsigned char) text[size - 1])) {
        text[--size] = 0;
    }
    return text;
}

/* One line: empty, a comment, or `key = value`. */
static saker_err_t take_line (saker_config_t *self, char *line)
{
    char *key = trim (line);
    if (!*key || *key == '#') {
        return SAKER_OK;
    }
    char *sign = strchr (key, '=');
    if (!sign) {
        return skr_fail (SAKER_EINPUT, "'%.40s' is not 'key = value'", key);
    }
    *sign = 0;
    char *name = trim (key);
    char *value = trim (sign + 1);
    if (!*value) {
        return skr_fail (SAKER_EINPUT, "'%.40s' has no value", name);
    }
    return saker_config_set (self, name, value);
}

typedef struct check_t {
    saker_problem_fn *problem_fn; /* NULL: stop at the first problem */
    void *argument;
    unsigned problems;
} check_t;

static saker_err_t take_file (saker_config_t *self, const char *name, FILE *file, check_t *check)
{
    char line[LINE_BYTES_MAX];
    unsigned number = 0;
    while (fgets (line, sizeof line, file)) {
        number++;
        bool whole = strchr (line, '\n') || feof (file);
        saker_err_t error = whole ? take_line (self, line)
                                  : skr_fail (SAKER_ELIMIT, "a line over %d bytes", LINE_BYTES_MAX);
        if (error != SAKER_OK && !check->problem_fn) {
            return skr_wrap (error, "%s:%u", name, number);
        }
        if (error != SAKER_OK) {
            check->problems++;
            check->problem_fn (number, skr_error (), check->argument);
        }
        if (!whole) {
            return SAKER_EINPUT;
        }
    }
    return ferror (file) ? skr_fail (SAKER_EIO, "read %s: %s", name, strerror (errno)) : SAKER_OK;
}

static saker_err_t read_file (saker_config_t *self, const char *name, check_t *check)
{
    FILE *file = fopen (name, "re");
    if (!file) {
        return skr_fail (errno == ENOENT ? SAKER_ENOTFOUND : SAKER_EIO, "open %s: %s", name,
                         strerror (errno));
    }
    saker_err_t error = take_file (self, name, file, check);
    fclose (file);
    return error;
}

saker_err_t saker_config_load (saker_config_t *self, const char *file)
{
    saker_config_t *fresh = malloc (sizeof *fresh);
    check_t check = {0};
    if (!fresh) {
        return skr_fail (SAKER_ENOMEM, "out of memory");
    }
    *fresh = *self;
    saker_err_t error = read_file (fresh, file, &check);
    if (error == SAKER_OK) {
        *self = *fresh;
    }
    free (fresh);
    return error;
}

saker_err_t saker_config_check (saker_config_t *self, const char *file,
                                saker_problem_fn *problem_fn, void *argument)
{
    check_t check = {problem_fn, argument, 0};
    saker_err_t error = read_file (self, file, &check);
    if (error == SAKER_OK && check.problems) {
        return skr_fail (SAKER_EINPUT, "%s: %u wrong line%s", file, check.problems,
                         check.problems == 1 ? "" : "s");
    }
    return error;
}
