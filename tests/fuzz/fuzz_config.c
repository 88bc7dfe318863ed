/* A configuration file: each wrong line is told with its number; what is taken is within its
 * bounds. */

#include "tests/fuzz/fuzz.h"

#include "mesh/config.h"

#include <sys/mman.h>
#include <unistd.h>

static unsigned problems;

static void on_problem (unsigned line, const char *sentence, void *argument)
{
    (void) argument;
    FUZZ_CHECK (line && *sentence);
    problems++;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char name[64];
    int descriptor = memfd_create ("config", MFD_CLOEXEC);
    FUZZ_CHECK (descriptor >= 0 && write (descriptor, data, size) == (ssize_t) size);
    snprintf (name, sizeof name, "/proc/self/fd/%d", descriptor);
    saker_config_t *config = saker_config_new ();
    saker_config_t *scratch = saker_config_new ();
    FUZZ_CHECK (config && scratch);
    problems = 0;
    saker_err_t error = saker_config_load (config, name);
    saker_err_t checked = saker_config_check (scratch, name, on_problem, NULL);
    FUZZ_CHECK ((error == SAKER_OK) == (checked == SAKER_OK));
    FUZZ_CHECK (error == SAKER_OK ? !problems : problems > 0);
    FUZZ_CHECK (config->seeds_count <= SKR_CONFIG_SEEDS_MAX
                && config->interfaces_count <= SKR_CONFIG_INTERFACES_MAX);
    saker_config_destroy (&config);
    saker_config_destroy (&scratch);
    close (descriptor);
    return 0;
}
