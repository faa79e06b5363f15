/* NVLinks and the NVLink fabric. */
#include <string.h>

#include "double.h"

/* No such link: NOT_SUPPORTED beyond the GPU's last, INVALID_ARGUMENT beyond what the driver knows of (36 since NVLink 5's drivers). */
nvmlReturn_t link_check(nvmlDevice_t device, unsigned int link)
{
    unsigned int count;
    REQUIRE(link < (driver_branch() < 575 ? 18 : MAX_LINKS));
    GIVE(device->readings[NVLINK_COUNT], &count);
    return link < count ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

#define ENTER_LINK(device, link)                              \
    do {                                                      \
        ENTER_GPU(device);                                    \
        nvmlReturn_t link_status_ = link_check(device, link); \
        if (link_status_ != NVML_SUCCESS)                     \
            return link_status_;                              \
    } while (0)

nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, nvmlEnableState_t *active)
{
    unsigned int state;
    ENTER_LINK(device, link);
    REQUIRE(active);
    GIVE(device->links[link][LINK_STATE], &state);
    *active = state == NVML_NVLINK_STATE_ACTIVE ? NVML_FEATURE_ENABLED : NVML_FEATURE_DISABLED;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned int link, unsigned int *version)
{
    ENTER_LINK(device, link);
    REQUIRE(version);
    GIVE(device->readings[NVLINK_VERSION], version);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkCapability(nvmlDevice_t device, unsigned int link, nvmlNvLinkCapability_t capability,
                                           unsigned int *result)
{
    ENTER_LINK(device, link);
    REQUIRE(result && capability < NVML_NVLINK_CAP_COUNT);
    *result = capability != NVML_NVLINK_CAP_SLI_BRIDGE;
    return NVML_SUCCESS;
}

static nvmlReturn_t remote_pci(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)
{
    const struct reading *remote = &device->links[link][LINK_REMOTE_BUS_ID];
    unsigned int state;
    bool to_switch = device->readings[NVLINK_REMOTE].number == NVML_NVLINK_DEVICE_TYPE_SWITCH;
    unsigned int device_id = (unsigned int)device->readings[PCI_DEVICE_ID].number;
    REQUIRE(pci);
    GIVE(device->links[link][LINK_STATE], &state);
    if (state == NVML_NVLINK_STATE_INACTIVE)
        return NVML_ERROR_NOT_SUPPORTED;
    if (remote->status != NVML_SUCCESS)
        return remote->status;
    return pci_fill(remote->text, to_switch ? scenario.switch_device_id << 16 | 0x10de : device_id, 0, pci);
}

nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)
{
    ENTER_LINK(device, link);
    return remote_pci(device, link, pci);
}

nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)
{
    ENTER_LINK(device, link);
    return remote_pci(device, link, pci);
}

nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned int link, nvmlIntNvLinkDeviceType_t *type)
{
    ENTER_LINK(device, link);
    REQUIRE(type);
    GIVE(device->readings[NVLINK_REMOTE], type);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned int link, nvmlNvLinkErrorCounter_t counter,
                                             unsigned long long *value)
{
    static const enum link_key keys[] = {
        [NVML_NVLINK_ERROR_DL_REPLAY] = LINK_REPLAY_ERRORS,     [NVML_NVLINK_ERROR_DL_RECOVERY] = LINK_RECOVERY_ERRORS,
        [NVML_NVLINK_ERROR_DL_CRC_FLIT] = LINK_CRC_FLIT_ERRORS, [NVML_NVLINK_ERROR_DL_CRC_DATA] = LINK_CRC_DATA_ERRORS,
        [NVML_NVLINK_ERROR_DL_ECC_DATA] = LINK_ECC_ERRORS,
    };
    ENTER_LINK(device, link);
    REQUIRE(value && counter < NVML_NVLINK_ERROR_COUNT);
    GIVE(device->links[link][keys[counter]], value);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkInfo(nvmlDevice_t device, nvmlNvLinkInfo_t *info)
{
    unsigned int version;
    ENTER_GPU(device);
    REQUIRE_DRIVER(570);
    REQUIRE(info);
    version = info->version;
    if (version != nvmlNvLinkInfo_v1 && version != nvmlNvLinkInfo_v2)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    memset(info, 0, version == nvmlNvLinkInfo_v1 ? sizeof(nvmlNvLinkInfo_v1_t) : sizeof(nvmlNvLinkInfo_v2_t));
    info->version = version;
    return NVML_SUCCESS;
}

/* How many links two GPUs have to each other: through the switches that both reach, or directly. */
unsigned int links_between(nvmlDevice_t left, nvmlDevice_t right)
{
    unsigned int up[2] = {0, 0};
    bool switched = left->readings[NVLINK_REMOTE].number == NVML_NVLINK_DEVICE_TYPE_SWITCH;
    nvmlDevice_t pair[2] = {left, right};
    for (int side = 0; side < 2; side++)
        for (unsigned int link = 0; link < MAX_LINKS && link_check(pair[side], link) == NVML_SUCCESS; link++) {
            const struct reading *state = &pair[side]->links[link][LINK_STATE], *remote = &pair[side]->links[link][LINK_REMOTE_BUS_ID];
            bool active = state->status == NVML_SUCCESS && state->number == NVML_NVLINK_STATE_ACTIVE;
            up[side] += active && (switched || (remote->text && gpu_by_bus_id(remote->text) == pair[!side]));
        }
    return up[0] < up[1] ? up[0] : up[1];
}

/* ---- the fabric: what fabric manager has made of the links ---- */

nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t *info)
{
    ENTER_GPU(device);
    REQUIRE(info);
    GIVE(device->readings[FABRIC_STATE], &info->state);
    GIVE(device->readings[FABRIC_STATUS], &info->status);
    GIVE(device->readings[FABRIC_CLIQUE], &info->cliqueId);
    memset(info->clusterUuid, 0, sizeof info->clusterUuid); /* one node is no cluster */
    return NVML_SUCCESS;
}

/* A health mask with nothing wrong in it is "healthy"; one of zeros is a driver or GPU that does not say. */
static unsigned char health_summary(unsigned int mask)
{
    if (mask == 0)
        return NVML_GPU_FABRIC_HEALTH_SUMMARY_NOT_SUPPORTED;
    unsigned int configuration = mask >> NVML_GPU_FABRIC_HEALTH_MASK_SHIFT_INCORRECT_CONFIGURATION & 0xf;
    if (configuration > NVML_GPU_FABRIC_HEALTH_MASK_INCORRECT_CONFIGURATION_NONE)
        return NVML_GPU_FABRIC_HEALTH_SUMMARY_UNHEALTHY;
    for (unsigned int shift = 0; shift <= NVML_GPU_FABRIC_HEALTH_MASK_SHIFT_ACCESS_TIMEOUT_RECOVERY; shift += 2)
        if ((mask >> shift & 0x3) == NVML_GPU_FABRIC_HEALTH_MASK_DEGRADED_BW_TRUE)
            return NVML_GPU_FABRIC_HEALTH_SUMMARY_UNHEALTHY;
    return NVML_GPU_FABRIC_HEALTH_SUMMARY_HEALTHY;
}

nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device, nvmlGpuFabricInfoV_t *info)
{
    ENTER_GPU(device);
    REQUIRE_DRIVER(545);
    REQUIRE(info);
    if (info->version != nvmlGpuFabricInfo_v2 && (info->version != nvmlGpuFabricInfo_v3 || driver_branch() < 575))
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    GIVE(device->readings[FABRIC_STATE], &info->state);
    GIVE(device->readings[FABRIC_STATUS], &info->status);
    GIVE(device->readings[FABRIC_CLIQUE], &info->cliqueId);
    GIVE(device->readings[FABRIC_HEALTH], &info->healthMask);
    memset(info->clusterUuid, 0, sizeof info->clusterUuid); /* one node is no cluster */
    if (info->version == nvmlGpuFabricInfo_v3)
        info->healthSummary = health_summary(info->healthMask);
    return NVML_SUCCESS;
}
