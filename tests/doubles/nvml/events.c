/* Events: sets can be made and waited on; nothing ever happens in them. */
#include <stdlib.h>
#include <time.h>

#include "double.h"

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set)
{
    ENTER_SYSTEM();
    REQUIRE(set);
    *set = malloc(1);
    return *set ? NVML_SUCCESS : NVML_ERROR_MEMORY;
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set)
{
    ENTER_SYSTEM();
    free(set);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long *types)
{
    ENTER_GPU(device);
    REQUIRE(types);
    *types = nvmlEventTypeXidCriticalError | nvmlEventTypeSingleBitEccError | nvmlEventTypeDoubleBitEccError |
             nvmlEventTypePState | nvmlEventTypeClock;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set)
{
    (void)types;
    ENTER_GPU(device);
    REQUIRE(set);
    return NVML_SUCCESS;
}

static nvmlReturn_t wait_for_nothing(unsigned int timeout_ms)
{
    nanosleep(&(struct timespec){timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000L}, NULL);
    return NVML_ERROR_TIMEOUT;
}

nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeout_ms)
{
    ENTER_SYSTEM();
    REQUIRE(set && data);
    return wait_for_nothing(timeout_ms);
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeout_ms)
{
    ENTER_SYSTEM();
    REQUIRE(set && data);
    return wait_for_nothing(timeout_ms);
}
