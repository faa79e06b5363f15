/* Modes that an administrator sets. Setting one works for as long as the calling process lives: the scenario is never written. */
#include "double.h"

GETTER(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, PERSISTENCE_MODE)
GETTER(nvmlDeviceGetComputeMode, nvmlComputeMode_t, COMPUTE_MODE)
GETTER(nvmlDeviceGetDisplayMode, nvmlEnableState_t, DISPLAY_MODE)
GETTER(nvmlDeviceGetDisplayActive, nvmlEnableState_t, DISPLAY_MODE)

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
    ENTER_GPU(device);
    REQUIRE(current && pending);
    GIVE(device->readings[MIG_MODE], current);
    GIVE(device->readings[MIG_MODE_PENDING], pending);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *is_mig)
{
    ENTER_GPU(device);
    REQUIRE(is_mig);
    *is_mig = 0;
    return NVML_SUCCESS;
}

#define MAX_MIG_DEVICES 7

/* None where MIG is off, says nvml.h. */
nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)
{
    ENTER_GPU(device);
    REQUIRE(count);
    *count = device->readings[MIG_MODE].status == NVML_SUCCESS && device->readings[MIG_MODE].number ? MAX_MIG_DEVICES : 0;
    return NVML_SUCCESS;
}

/* They can be counted, and no more: the handle is that of their GPU. Where fewer than all are made, the first numbers have none. */
nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *mig)
{
    ENTER_GPU(device);
    REQUIRE(mig && index < MAX_MIG_DEVICES);
    unsigned long long made;
    GIVE(device->readings[MIG_DEVICES], &made);
    if (!device->readings[MIG_MODE].number || index + made < MAX_MIG_DEVICES)
        return NVML_ERROR_NOT_FOUND;
    *mig = device;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuOperationMode(nvmlDevice_t device, nvmlGpuOperationMode_t *current, nvmlGpuOperationMode_t *pending)
{
    (void)current;
    (void)pending;
    ENTER_GPU(device);
    return NVML_ERROR_NOT_SUPPORTED;
}

#define SETTER(function, type, key)                                          \
    nvmlReturn_t function(nvmlDevice_t device, type value)                   \
    {                                                                        \
        ENTER_GPU(device);                                                   \
        if (device->readings[key].status != NVML_SUCCESS)                    \
            return device->readings[key].status;                             \
        device->readings[key].number = (unsigned long long)value;            \
        return NVML_SUCCESS;                                                 \
    }

SETTER(nvmlDeviceSetPersistenceMode, nvmlEnableState_t, PERSISTENCE_MODE)
SETTER(nvmlDeviceSetComputeMode, nvmlComputeMode_t, COMPUTE_MODE)
SETTER(nvmlDeviceSetEccMode, nvmlEnableState_t, ECC_MODE_PENDING)
SETTER(nvmlDeviceSetAccountingMode, nvmlEnableState_t, ACCOUNTING_MODE)
SETTER(nvmlDeviceSetPowerManagementLimit, unsigned int, POWER_LIMIT)
