/* A GPU's place on the PCI bus, and its link. */
#include <stdio.h>
#include <string.h>

#include "double.h"

/* Accepts 00000000:1b:00.0, 0000:1b:00.0 and 1b:00.0, as NVML does. */
bool pci_parse(const char *text, struct pci_address *address)
{
    if (!text)
        return false;
    if (sscanf(text, "%x:%x:%x.%*x", &address->domain, &address->bus, &address->device) == 3)
        return true;
    address->domain = 0;
    return sscanf(text, "%x:%x.%*x", &address->bus, &address->device) == 2;
}

nvmlReturn_t pci_fill(const char *bus_id, unsigned int device_id, unsigned int subsystem_id, nvmlPciInfo_t *pci)
{
    struct pci_address address;
    if (!pci_parse(bus_id, &address))
        return NVML_ERROR_UNKNOWN;
    memset(pci, 0, sizeof *pci);
    pci->domain = address.domain;
    pci->bus = address.bus;
    pci->device = address.device;
    pci->pciDeviceId = device_id;
    pci->pciSubSystemId = subsystem_id;
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, NVML_DEVICE_PCI_BUS_ID_LEGACY_FMT, pci->domain & 0xffff, pci->bus & 0xff,
             pci->device & 0x1f);
    snprintf(pci->busId, sizeof pci->busId, NVML_DEVICE_PCI_BUS_ID_FMT, pci->domain, pci->bus, pci->device);
    return NVML_SUCCESS;
}

static nvmlReturn_t pci_info(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    unsigned int device_id, subsystem_id;
    REQUIRE(pci);
    if (device->readings[PCI_BUS_ID].status != NVML_SUCCESS)
        return device->readings[PCI_BUS_ID].status;
    GIVE(device->readings[PCI_DEVICE_ID], &device_id);
    GIVE(device->readings[PCI_SUBSYSTEM_ID], &subsystem_id);
    return pci_fill(device->readings[PCI_BUS_ID].text, device_id, subsystem_id, pci);
}

nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    ENTER_GPU(device);
    return pci_info(device, pci);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    ENTER_GPU(device);
    return pci_info(device, pci);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    ENTER_GPU(device);
    return pci_info(device, pci);
}

nvmlReturn_t nvmlDeviceGetPciInfoExt(nvmlDevice_t device, nvmlPciInfoExt_t *pci)
{
    nvmlPciInfo_t plain;
    ENTER_GPU(device);
    REQUIRE_DRIVER(550);
    REQUIRE_VERSION(pci, nvmlPciInfoExt_v1);
    nvmlReturn_t result = pci_info(device, &plain);
    if (result != NVML_SUCCESS)
        return result;
    pci->domain = plain.domain;
    pci->bus = plain.bus;
    pci->device = plain.device;
    pci->pciDeviceId = plain.pciDeviceId;
    pci->pciSubSystemId = plain.pciSubSystemId;
    pci->baseClass = 0x03;
    pci->subClass = 0x02;
    memcpy(pci->busId, plain.busId, sizeof pci->busId);
    return NVML_SUCCESS;
}

GETTER(nvmlDeviceGetCurrPcieLinkGeneration, unsigned int, PCIE_GEN_CURRENT)
GETTER(nvmlDeviceGetMaxPcieLinkGeneration, unsigned int, PCIE_GEN_MAX)
GETTER(nvmlDeviceGetGpuMaxPcieLinkGeneration, unsigned int, PCIE_GEN_DEVICE_MAX)
GETTER(nvmlDeviceGetCurrPcieLinkWidth, unsigned int, PCIE_WIDTH_CURRENT)
GETTER(nvmlDeviceGetMaxPcieLinkWidth, unsigned int, PCIE_WIDTH_MAX)
GETTER(nvmlDeviceGetPcieReplayCounter, unsigned int, PCIE_REPLAYS)

static unsigned int speed_mb_s(unsigned long long generation)
{
    static const unsigned int speeds[] = {0, 2500, 5000, 8000, 16000, 32000, 64000};
    return generation < sizeof speeds / sizeof *speeds ? speeds[generation] : 0;
}

nvmlReturn_t nvmlDeviceGetPcieSpeed(nvmlDevice_t device, unsigned int *speed)
{
    unsigned int generation;
    ENTER_GPU(device);
    REQUIRE(speed);
    GIVE(device->readings[PCIE_GEN_CURRENT], &generation);
    *speed = speed_mb_s(generation);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPcieLinkMaxSpeed(nvmlDevice_t device, unsigned int *speed)
{
    unsigned int generation;
    ENTER_GPU(device);
    REQUIRE(speed);
    GIVE(device->readings[PCIE_GEN_MAX], &generation);
    *speed = generation; /* NVML_PCIE_LINK_MAX_SPEED_* counts like the generations */
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter, unsigned int *value)
{
    ENTER_GPU(device);
    REQUIRE(value && counter < NVML_PCIE_UTIL_COUNT);
    GIVE(device->readings[counter == NVML_PCIE_UTIL_TX_BYTES ? PCIE_TX_KB_S : PCIE_RX_KB_S], value);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetBusType(nvmlDevice_t device, nvmlBusType_t *type)
{
    ENTER_GPU(device);
    REQUIRE(type);
    *type = NVML_BUS_TYPE_PCIE;
    return NVML_SUCCESS;
}
