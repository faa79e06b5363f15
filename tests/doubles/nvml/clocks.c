/* Clocks, what holds them back, performance state and utilisation. */
#include <string.h>
#include <sys/time.h>

#include "double.h"

static const enum gpu_key current_keys[] = {CLOCK_GRAPHICS, CLOCK_SM, CLOCK_MEMORY, CLOCK_VIDEO};
static const enum gpu_key max_keys[] = {CLOCK_MAX_GRAPHICS, CLOCK_MAX_SM, CLOCK_MAX_MEMORY, CLOCK_MAX_VIDEO};
static const enum gpu_key application_keys[] = {CLOCK_APPLICATION_GRAPHICS, CLOCK_APPLICATION_GRAPHICS, CLOCK_APPLICATION_MEMORY};
static const enum gpu_key default_keys[] = {CLOCK_DEFAULT_GRAPHICS, CLOCK_DEFAULT_GRAPHICS, CLOCK_DEFAULT_MEMORY};

static nvmlReturn_t give_clock(nvmlDevice_t device, const enum gpu_key *keys, unsigned int kinds, nvmlClockType_t type,
                               unsigned int *clock)
{
    REQUIRE(clock && type < NVML_CLOCK_COUNT);
    if (type >= kinds)
        return NVML_ERROR_NOT_SUPPORTED;
    GIVE(device->readings[keys[type]], clock);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *clock)
{
    ENTER_GPU(device);
    return give_clock(device, current_keys, 4, type, clock);
}

nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *clock)
{
    ENTER_GPU(device);
    return give_clock(device, max_keys, 4, type, clock);
}

nvmlReturn_t nvmlDeviceGetApplicationsClock(nvmlDevice_t device, nvmlClockType_t type, unsigned int *clock)
{
    ENTER_GPU(device);
    return give_clock(device, application_keys, 3, type, clock);
}

nvmlReturn_t nvmlDeviceGetDefaultApplicationsClock(nvmlDevice_t device, nvmlClockType_t type, unsigned int *clock)
{
    ENTER_GPU(device);
    return give_clock(device, default_keys, 3, type, clock);
}

nvmlReturn_t nvmlDeviceGetMaxCustomerBoostClock(nvmlDevice_t device, nvmlClockType_t type, unsigned int *clock)
{
    ENTER_GPU(device);
    return give_clock(device, max_keys, 4, type, clock);
}

nvmlReturn_t nvmlDeviceGetClock(nvmlDevice_t device, nvmlClockType_t type, nvmlClockId_t id, unsigned int *clock)
{
    ENTER_GPU(device);
    switch (id) {
    case NVML_CLOCK_ID_CURRENT:
        return give_clock(device, current_keys, 4, type, clock);
    case NVML_CLOCK_ID_APP_CLOCK_TARGET:
        return give_clock(device, application_keys, 3, type, clock);
    case NVML_CLOCK_ID_APP_CLOCK_DEFAULT:
        return give_clock(device, default_keys, 3, type, clock);
    case NVML_CLOCK_ID_CUSTOMER_BOOST_MAX:
        return give_clock(device, max_keys, 4, type, clock);
    default:
        return NVML_ERROR_INVALID_ARGUMENT;
    }
}

nvmlReturn_t nvmlDeviceGetSupportedMemoryClocks(nvmlDevice_t device, unsigned int *count, unsigned int *clocks)
{
    ENTER_GPU(device);
    REQUIRE(count);
    unsigned int room = *count;
    *count = 1;
    if (room < 1 || !clocks)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    GIVE(device->readings[CLOCK_MAX_MEMORY], clocks);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetSupportedGraphicsClocks(nvmlDevice_t device, unsigned int memory_clock, unsigned int *count,
                                                  unsigned int *clocks)
{
    unsigned int memory, top;
    ENTER_GPU(device);
    REQUIRE(count);
    GIVE(device->readings[CLOCK_MAX_MEMORY], &memory);
    GIVE(device->readings[CLOCK_MAX_GRAPHICS], &top);
    if (memory_clock != memory)
        return NVML_ERROR_NOT_FOUND;
    unsigned int room = *count;
    *count = top / 15;
    if (room < *count || !clocks)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned int step = 0; step < *count; step++)
        clocks[step] = top - step * 15;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAutoBoostedClocksEnabled(nvmlDevice_t device, nvmlEnableState_t *enabled, nvmlEnableState_t *initial)
{
    (void)enabled;
    (void)initial;
    ENTER_GPU(device);
    return NVML_ERROR_NOT_SUPPORTED;
}

GETTER(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, CLOCK_EVENT_REASONS)
GETTER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, CLOCK_EVENT_REASONS)

static nvmlReturn_t give_supported_reasons(unsigned long long *reasons)
{
    REQUIRE(reasons);
    *reasons = 0;
    for (const struct word *word = reason_words; word->name; word++)
        *reasons |= word->number;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetSupportedClocksEventReasons(nvmlDevice_t device, unsigned long long *reasons)
{
    ENTER_GPU(device);
    return give_supported_reasons(reasons);
}

nvmlReturn_t nvmlDeviceGetSupportedClocksThrottleReasons(nvmlDevice_t device, unsigned long long *reasons)
{
    ENTER_GPU(device);
    return give_supported_reasons(reasons);
}

nvmlReturn_t nvmlDeviceGetViolationStatus(nvmlDevice_t device, nvmlPerfPolicyType_t policy, nvmlViolationTime_t *violation)
{
    struct timeval now;
    ENTER_GPU(device);
    REQUIRE(violation && policy < NVML_PERF_POLICY_COUNT);
    gettimeofday(&now, NULL);
    violation->referenceTime = (unsigned long long)now.tv_sec * 1000000ULL + (unsigned long long)now.tv_usec;
    violation->violationTime = 0;
    return NVML_SUCCESS;
}

GETTER(nvmlDeviceGetPerformanceState, nvmlPstates_t, PERFORMANCE_STATE)
GETTER(nvmlDeviceGetPowerState, nvmlPstates_t, PERFORMANCE_STATE)

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization)
{
    ENTER_GPU(device);
    REQUIRE(utilization);
    if (device->readings[MIG_MODE].number)
        return NVML_ERROR_NOT_SUPPORTED;
    GIVE(device->readings[UTILIZATION_GPU], &utilization->gpu);
    GIVE(device->readings[UTILIZATION_MEMORY], &utilization->memory);
    return NVML_SUCCESS;
}

/* The media engines stand still. */
#define IDLE_ENGINE(function)                                                                       \
    nvmlReturn_t function(nvmlDevice_t device, unsigned int *utilization, unsigned int *period_us)  \
    {                                                                                               \
        ENTER_GPU(device);                                                                          \
        REQUIRE(utilization &&period_us);                                                           \
        *utilization = 0;                                                                           \
        *period_us = 100000;                                                                        \
        return NVML_SUCCESS;                                                                        \
    }

IDLE_ENGINE(nvmlDeviceGetEncoderUtilization)
IDLE_ENGINE(nvmlDeviceGetDecoderUtilization)
IDLE_ENGINE(nvmlDeviceGetJpgUtilization)
IDLE_ENGINE(nvmlDeviceGetOfaUtilization)

nvmlReturn_t nvmlDeviceGetEncoderStats(nvmlDevice_t device, unsigned int *sessions, unsigned int *fps, unsigned int *latency)
{
    ENTER_GPU(device);
    REQUIRE(sessions && fps && latency);
    *sessions = *fps = *latency = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetFBCStats(nvmlDevice_t device, nvmlFBCStats_t *stats)
{
    ENTER_GPU(device);
    REQUIRE(stats);
    memset(stats, 0, sizeof *stats);
    return NVML_SUCCESS;
}
