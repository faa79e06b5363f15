/* Which GPUs there are, and who they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "double.h"

static nvmlReturn_t count_gpus(unsigned int *count)
{
    REQUIRE(count);
    *count = scenario.visible;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount(unsigned int *count)
{
    ENTER_SYSTEM();
    return count_gpus(count);
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count)
{
    ENTER_SYSTEM();
    return count_gpus(count);
}

/* Faults of the handle calls may be planted on one GPU, so the gate is passed again with it. */
static nvmlReturn_t give_handle(const char *function, nvmlDevice_t gpu, nvmlDevice_t *device)
{
    *device = gpu;
    nvmlReturn_t result = enter_gpu(function, gpu);
    if (result == NVML_ERROR_GPU_IS_LOST && gpu->readings[LOST].number != 2 && gpu->readings[LOST].status == NVML_SUCCESS)
        return NVML_SUCCESS; /* it keeps its place: the calls on it fail */
    return result;
}

static nvmlReturn_t handle_by_index(const char *function, unsigned int index, nvmlDevice_t *device)
{
    REQUIRE(device && index < scenario.visible);
    return give_handle(function, scenario.by_index[index], device);
}

static nvmlReturn_t handle_by_text(const char *function, enum gpu_key key, const char *text, nvmlDevice_t *device)
{
    REQUIRE(text && device);
    for (unsigned int index = 0; index < scenario.visible; index++)
        if (strcasecmp(scenario.by_index[index]->readings[key].text, text) == 0)
            return give_handle(function, scenario.by_index[index], device);
    return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t *device)
{
    ENTER_SYSTEM();
    return handle_by_index(__func__, index, device);
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    ENTER_SYSTEM();
    return handle_by_index(__func__, index, device);
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    ENTER_SYSTEM();
    return handle_by_text(__func__, UUID, uuid, device);
}

nvmlReturn_t nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *device)
{
    ENTER_SYSTEM();
    return handle_by_text(__func__, SERIAL, serial, device);
}

nvmlDevice_t gpu_by_bus_id(const char *text)
{
    struct pci_address wanted, own;
    if (!pci_parse(text, &wanted))
        return NULL;
    for (unsigned int index = 0; index < scenario.visible; index++)
        if (pci_parse(scenario.by_index[index]->readings[PCI_BUS_ID].text, &own) && own.domain == wanted.domain &&
            own.bus == wanted.bus && own.device == wanted.device)
            return scenario.by_index[index];
    return NULL;
}

static nvmlReturn_t handle_by_bus_id(const char *function, const char *text, nvmlDevice_t *device)
{
    struct pci_address address;
    REQUIRE(device && pci_parse(text, &address));
    nvmlDevice_t gpu = gpu_by_bus_id(text);
    return gpu ? give_handle(function, gpu, device) : NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char *bus_id, nvmlDevice_t *device)
{
    ENTER_SYSTEM();
    return handle_by_bus_id(__func__, bus_id, device);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *device)
{
    ENTER_SYSTEM();
    return handle_by_bus_id(__func__, bus_id, device);
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index)
{
    ENTER_GPU(device);
    REQUIRE(index);
    *index = device->index;
    return NVML_SUCCESS;
}

TEXT_GETTER(nvmlDeviceGetName, NAME)
TEXT_GETTER(nvmlDeviceGetUUID, UUID)
TEXT_GETTER(nvmlDeviceGetSerial, SERIAL)
TEXT_GETTER(nvmlDeviceGetVbiosVersion, VBIOS)
TEXT_GETTER(nvmlDeviceGetBoardPartNumber, BOARD_PART_NUMBER)
TEXT_GETTER(nvmlDeviceGetInforomImageVersion, INFOROM_IMAGE)
GETTER(nvmlDeviceGetBrand, nvmlBrandType_t, BRAND)
GETTER(nvmlDeviceGetArchitecture, nvmlDeviceArchitecture_t, ARCHITECTURE)
GETTER(nvmlDeviceGetMinorNumber, unsigned int, MINOR)
GETTER(nvmlDeviceGetModuleId, unsigned int, MODULE_ID)
GETTER(nvmlDeviceGetNumGpuCores, unsigned int, CORES)

nvmlReturn_t nvmlDeviceGetInforomVersion(nvmlDevice_t device, nvmlInforomObject_t object, char *version, unsigned int length)
{
    static const enum gpu_key keys[] = {
        [NVML_INFOROM_OEM] = INFOROM_OEM, [NVML_INFOROM_ECC] = INFOROM_ECC, [NVML_INFOROM_POWER] = INFOROM_POWER};
    ENTER_GPU(device);
    REQUIRE(version);
    if ((unsigned int)object >= sizeof keys / sizeof *keys)
        return NVML_ERROR_NOT_SUPPORTED;
    return give_reading_text(&device->readings[keys[object]], version, length);
}

nvmlReturn_t nvmlDeviceValidateInforom(nvmlDevice_t device)
{
    unsigned int valid;
    ENTER_GPU(device);
    GIVE(device->readings[INFOROM_VALID], &valid);
    return valid ? NVML_SUCCESS : NVML_ERROR_CORRUPTED_INFOROM;
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
    const struct reading *reading;
    ENTER_GPU(device);
    REQUIRE(major && minor);
    reading = &device->readings[COMPUTE_CAPABILITY];
    if (reading->status == NVML_SUCCESS && sscanf(reading->text, "%d.%d", major, minor) != 2)
        return NVML_ERROR_UNKNOWN;
    return reading->status;
}

nvmlReturn_t nvmlDeviceGetBoardId(nvmlDevice_t device, unsigned int *id)
{
    struct pci_address address;
    ENTER_GPU(device);
    REQUIRE(id);
    *id = pci_parse(device->readings[PCI_BUS_ID].text, &address) ? address.bus << 8 : 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMultiGpuBoard(nvmlDevice_t device, unsigned int *multiple)
{
    ENTER_GPU(device);
    REQUIRE(multiple);
    *multiple = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes)
{
    unsigned int multiprocessors;
    ENTER_GPU(device);
    REQUIRE(attributes);
    GIVE(device->readings[MULTIPROCESSORS], &multiprocessors);
    *attributes = (nvmlDeviceAttributes_t){
        .multiprocessorCount = multiprocessors,
        .memorySizeMB = device->readings[MEMORY_TOTAL].number,
    };
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGspFirmwareMode(nvmlDevice_t device, unsigned int *enabled, unsigned int *initial)
{
    ENTER_GPU(device);
    REQUIRE(enabled && initial);
    GIVE(device->readings[GSP_FIRMWARE], enabled);
    *initial = *enabled;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGspFirmwareVersion(nvmlDevice_t device, char *version)
{
    unsigned int enabled;
    ENTER_GPU(device);
    REQUIRE(version);
    GIVE(device->readings[GSP_FIRMWARE], &enabled);
    return enabled ? give_text(driver_version(), version, NVML_GSP_FIRMWARE_VERSION_BUF_SIZE) : NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlDeviceGetVirtualizationMode(nvmlDevice_t device, nvmlGpuVirtualizationMode_t *mode)
{
    ENTER_GPU(device);
    REQUIRE(mode);
    *mode = NVML_GPU_VIRTUALIZATION_MODE_NONE;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGridLicensableFeatures_v4(nvmlDevice_t device, nvmlGridLicensableFeatures_t *features)
{
    ENTER_GPU(device);
    REQUIRE(features);
    memset(features, 0, sizeof *features);
    return NVML_SUCCESS;
}
