/* Processes that hold a GPU. The scenario's are all compute processes. */
#include "double.h"

#define NO_INSTANCE 0xffffffffU

/* Fills the caller's array with the layout of one version of the call. */
#define GIVE_PROCESSES(device, count, infos, ...)                                              \
    do {                                                                                       \
        REQUIRE(count);                                                                        \
        unsigned int room_ = *(count), wanted_ = (device)->process_count;                      \
        *(count) = wanted_;                                                                    \
        if (room_ < wanted_ || (wanted_ && !(infos)))                                          \
            return NVML_ERROR_INSUFFICIENT_SIZE;                                               \
        for (unsigned int at_ = 0; at_ < wanted_; at_++) {                                     \
            const struct process *process = &(device)->processes[at_];                         \
            (infos)[at_] = (__typeof__(*(infos))){__VA_ARGS__};                                \
        }                                                                                      \
        return NVML_SUCCESS;                                                                   \
    } while (0)

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_v1_t *infos)
{
    ENTER_GPU(device);
    GIVE_PROCESSES(device, count, infos, process->pid, process->bytes);
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_v2_t *infos)
{
    ENTER_GPU(device);
    GIVE_PROCESSES(device, count, infos, process->pid, process->bytes, NO_INSTANCE, NO_INSTANCE);
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *infos)
{
    ENTER_GPU(device);
    GIVE_PROCESSES(device, count, infos, process->pid, process->bytes, NO_INSTANCE, NO_INSTANCE);
}

#define NO_PROCESSES(function, type)                                                       \
    nvmlReturn_t function(nvmlDevice_t device, unsigned int *count, type *infos)           \
    {                                                                                      \
        (void)infos;                                                                       \
        ENTER_GPU(device);                                                                 \
        REQUIRE(count);                                                                    \
        *count = 0;                                                                        \
        return NVML_SUCCESS;                                                               \
    }

NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses, nvmlProcessInfo_v1_t)
NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, nvmlProcessInfo_v2_t)
NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, nvmlProcessInfo_t)
NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses, nvmlProcessInfo_v1_t)
NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2, nvmlProcessInfo_v2_t)
NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, nvmlProcessInfo_t)

GETTER(nvmlDeviceGetAccountingMode, nvmlEnableState_t, ACCOUNTING_MODE)

nvmlReturn_t nvmlDeviceGetAccountingBufferSize(nvmlDevice_t device, unsigned int *size)
{
    ENTER_GPU(device);
    REQUIRE(size);
    *size = 4000;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAccountingPids(nvmlDevice_t device, unsigned int *count, unsigned int *pids)
{
    (void)pids;
    ENTER_GPU(device);
    REQUIRE(count);
    *count = 0;
    return NVML_SUCCESS;
}
