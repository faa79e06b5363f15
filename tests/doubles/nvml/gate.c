/* Every call enters here: is the library initialised, is the GPU there, and does the scenario fail, delay or hang this call? */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "double.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int users;

static void trace(const char *function, const char *note)
{
    if (getenv("GPU_FLEET_DOUBLE_TRACE"))
        fprintf(stderr, "gpu-fleet double: %s%s\n", function, note);
}

static nvmlReturn_t apply_rules(const char *function, int slot)
{
    nvmlReturn_t result = NVML_SUCCESS;
    for (unsigned int index = 0; index < scenario.rule_count; index++) {
        const struct rule *rule = &scenario.rules[index];
        if ((rule->slot >= 0 && rule->slot != slot) || !pattern_matches(rule->pattern, function))
            continue;
        if (rule->effect == FAIL)
            result = (nvmlReturn_t)rule->argument;
        else if (rule->effect == DELAY)
            nanosleep(&(struct timespec){(time_t)(rule->argument / 1000), (long)(rule->argument % 1000) * 1000000L}, NULL);
        else if (rule->argument)
            for (;;)
                pause();
    }
    return result;
}

nvmlReturn_t enter_anytime(const char *function)
{
    trace(function, "");
    return apply_rules(function, -1);
}

nvmlReturn_t enter_system(const char *function)
{
    trace(function, "");
    return users == 0 ? NVML_ERROR_UNINITIALIZED : apply_rules(function, -1);
}

static bool is_gpu(nvmlDevice_t device)
{
    for (unsigned int index = 0; index < scenario.visible; index++)
        if (scenario.by_index[index] == device)
            return true;
    return false;
}

nvmlReturn_t enter_gpu(const char *function, nvmlDevice_t device)
{
    trace(function, "");
    if (users == 0)
        return NVML_ERROR_UNINITIALIZED;
    REQUIRE(is_gpu(device));
    nvmlReturn_t result = apply_rules(function, (int)device->slot);
    unsigned long long calls = __atomic_add_fetch(&device->calls, 1, __ATOMIC_RELAXED);
    unsigned long long limit = device->readings[LOST_AFTER_CALLS].number;
    if (device->readings[LOST].number || (limit && calls > limit))
        return NVML_ERROR_GPU_IS_LOST;
    return result;
}

nvmlReturn_t stub_system(const char *function);
nvmlReturn_t stub_gpu(const char *function, nvmlDevice_t device);

/* Answers for everything that no file here answers. */
nvmlReturn_t stub_system(const char *function)
{
    nvmlReturn_t result = enter_system(function);
    trace(function, " has no answer here: NOT_SUPPORTED");
    return result != NVML_SUCCESS ? result : NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t stub_gpu(const char *function, nvmlDevice_t device)
{
    nvmlReturn_t result = enter_gpu(function, device);
    trace(function, " has no answer here: NOT_SUPPORTED");
    return result != NVML_SUCCESS ? result : NVML_ERROR_NOT_SUPPORTED;
}

static nvmlReturn_t start(void)
{
    nvmlReturn_t result = scenario_load();
    if (result != NVML_SUCCESS || (result = scenario.init) != NVML_SUCCESS)
        return result;
    if (strcmp(driver_version(), library_version()) != 0)
        return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
    return scenario_enumerate();
}

static nvmlReturn_t initialise(const char *function)
{
    trace(function, "");
    pthread_mutex_lock(&lock);
    nvmlReturn_t result = users > 0 ? NVML_SUCCESS : start();
    if (result == NVML_SUCCESS)
        result = apply_rules(function, -1);
    if (result == NVML_SUCCESS && strcmp(function, "nvmlInitWithFlags") == 0)
        result = apply_rules("nvmlInit", -1); /* it is another way to the same */
    if (result == NVML_SUCCESS)
        users++;
    pthread_mutex_unlock(&lock);
    return result;
}

nvmlReturn_t nvmlInit(void)
{
    return initialise(__func__);
}

nvmlReturn_t nvmlInit_v2(void)
{
    return initialise(__func__);
}

nvmlReturn_t nvmlInitWithFlags(unsigned int flags)
{
    (void)flags;
    return initialise(__func__);
}

nvmlReturn_t nvmlShutdown(void)
{
    ENTER_SYSTEM();
    pthread_mutex_lock(&lock);
    users--;
    pthread_mutex_unlock(&lock);
    return NVML_SUCCESS;
}
