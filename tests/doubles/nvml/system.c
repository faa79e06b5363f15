/* What NVML says about the node as a whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "double.h"

/* The CUDA version that came with a driver branch (from the CUDA toolkit's release notes). */
static const struct {
    unsigned int branch, cuda;
} cuda_of_branch[] = {
    {590, 13010}, {580, 13000}, {575, 12090}, {570, 12080}, {565, 12070}, {560, 12060}, {555, 12050}, {550, 12040},
    {545, 12030}, {535, 12020}, {530, 12010}, {525, 12000}, {520, 11080}, {515, 11070}, {510, 11060}, {470, 11040}, {0, 11000},
};

#define DEFAULT_VERSION "535.309.01"

/* The library's own version is in its file name, as with NVIDIA's. */
const char *library_version(void)
{
    const char *named = origin_version();
    return named ? named : scenario.driver_version ? scenario.driver_version : DEFAULT_VERSION;
}

/* The version of the kernel's driver, which is the library's unless the scenario says otherwise. */
const char *driver_version(void)
{
    return scenario.driver_version ? scenario.driver_version : library_version();
}

unsigned int driver_branch(void)
{
    return (unsigned int)strtoul(library_version(), NULL, 10);
}

static unsigned int cuda_version(void)
{
    size_t row = 0;
    while (cuda_of_branch[row].branch > driver_branch())
        row++;
    return scenario.cuda_version ? scenario.cuda_version : cuda_of_branch[row].cuda;
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
    ENTER_SYSTEM();
    REQUIRE(version);
    return give_text(driver_version(), version, length);
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length)
{
    char text[NVML_SYSTEM_NVML_VERSION_BUFFER_SIZE];
    ENTER_ANYTIME();
    REQUIRE(version);
    snprintf(text, sizeof text, "%u.%s", cuda_version() / 1000, library_version());
    return give_text(text, version, length);
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version)
{
    ENTER_SYSTEM();
    REQUIRE(version);
    *version = (int)cuda_version();
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    ENTER_SYSTEM();
    REQUIRE(version);
    *version = (int)cuda_version();
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetDriverBranch(nvmlSystemDriverBranchInfo_t *info, unsigned int length)
{
    char text[16];
    ENTER_SYSTEM();
    REQUIRE_DRIVER(560);
    REQUIRE_VERSION(info, nvmlSystemDriverBranchInfo_v1);
    snprintf(text, sizeof text, "r%u", driver_branch());
    return give_text(text, info->branch, length < sizeof info->branch ? length : sizeof info->branch);
}

static const char *simulated_process(unsigned int pid)
{
    for (unsigned int slot = 0; slot < scenario.slots; slot++)
        for (unsigned int index = 0; index < scenario.gpus[slot].process_count; index++)
            if (scenario.gpus[slot].processes[index].pid == pid)
                return scenario.gpus[slot].processes[index].name;
    return NULL;
}

nvmlReturn_t nvmlSystemGetProcessName(unsigned int pid, char *name, unsigned int length)
{
    ENTER_SYSTEM();
    REQUIRE(name && length > 0);
    const char *simulated = simulated_process(pid);
    if (simulated) {
        snprintf(name, length, "%s", simulated);
        return NVML_SUCCESS;
    }
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return NVML_ERROR_NOT_FOUND;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    snprintf(name, length, "%s", text);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetHicVersion(unsigned int *count, nvmlHwbcEntry_t *entries)
{
    (void)entries;
    ENTER_SYSTEM();
    REQUIRE(count);
    *count = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlUnitGetCount(unsigned int *count)
{
    ENTER_SYSTEM();
    REQUIRE(count);
    *count = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGetExcludedDeviceCount(unsigned int *count)
{
    ENTER_SYSTEM();
    REQUIRE(count);
    *count = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetConfComputeCapabilities(nvmlConfComputeSystemCaps_t *capabilities)
{
    ENTER_SYSTEM();
    REQUIRE(capabilities);
    *capabilities = (nvmlConfComputeSystemCaps_t){NVML_CC_SYSTEM_CPU_CAPS_NONE, NVML_CC_SYSTEM_GPUS_CC_NOT_CAPABLE};
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetConfComputeState(nvmlConfComputeSystemState_t *state)
{
    ENTER_SYSTEM();
    REQUIRE(state);
    *state = (nvmlConfComputeSystemState_t){0};
    return NVML_SUCCESS;
}

/* The words of NVIDIA's own library, which nvidia-smi prints. */
const char *nvmlErrorString(nvmlReturn_t result)
{
    static const struct {
        nvmlReturn_t result;
        const char *text;
    } texts[] = {
        {NVML_SUCCESS, "Success"},
        {NVML_ERROR_UNINITIALIZED, "Uninitialized"},
        {NVML_ERROR_INVALID_ARGUMENT, "Invalid Argument"},
        {NVML_ERROR_NOT_SUPPORTED, "Not Supported"},
        {NVML_ERROR_NO_PERMISSION, "Insufficient Permissions"},
        {NVML_ERROR_ALREADY_INITIALIZED, "Already Initialized"},
        {NVML_ERROR_NOT_FOUND, "Not Found"},
        {NVML_ERROR_INSUFFICIENT_SIZE, "Insufficient Size"},
        {NVML_ERROR_INSUFFICIENT_POWER, "Insufficient External Power"},
        {NVML_ERROR_DRIVER_NOT_LOADED, "Driver Not Loaded"},
        {NVML_ERROR_TIMEOUT, "Timeout"},
        {NVML_ERROR_IRQ_ISSUE, "Interrupt Request Issue"},
        {NVML_ERROR_LIBRARY_NOT_FOUND, "NVML Shared Library Not Found"},
        {NVML_ERROR_FUNCTION_NOT_FOUND, "Function Not Found"},
        {NVML_ERROR_CORRUPTED_INFOROM, "Corrupted infoROM"},
        {NVML_ERROR_GPU_IS_LOST, "GPU is lost"},
        {NVML_ERROR_RESET_REQUIRED, "GPU requires reset"},
        {NVML_ERROR_OPERATING_SYSTEM, "GPU access blocked by the operating system"},
        {NVML_ERROR_LIB_RM_VERSION_MISMATCH, "Driver/library version mismatch"},
        {NVML_ERROR_IN_USE, "In use by another client"},
        {NVML_ERROR_MEMORY, "Insufficient Memory"},
        {NVML_ERROR_NO_DATA, "No data"},
        {NVML_ERROR_VGPU_ECC_NOT_SUPPORTED, "Requested vGPU operation is not available on target device, because ECC is enabled"},
        {NVML_ERROR_INSUFFICIENT_RESOURCES, "Insufficient Resources"},
        {NVML_ERROR_FREQ_NOT_SUPPORTED, "Requested Frequency Not Supported"},
        {NVML_ERROR_ARGUMENT_VERSION_MISMATCH, "Argument version mismatch"},
        {NVML_ERROR_DEPRECATED, "Deprecated"},
        {NVML_ERROR_NOT_READY, "The system is not ready for the request"},
        {NVML_ERROR_GPU_NOT_FOUND, "No GPUs were found"},
        {NVML_ERROR_INVALID_STATE, "Resource not in correct state to perform requested operation"},
    };
    for (size_t row = 0; row < sizeof texts / sizeof *texts; row++)
        if (texts[row].result == result)
            return texts[row].text;
    return "Unknown Error";
}
