/* Memory: its size, and what ECC counted and repaired. */
#include <string.h>

#include "double.h"

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    unsigned long long total, reserved, used;
    ENTER_GPU(device);
    REQUIRE(memory);
    GIVE(device->readings[MEMORY_TOTAL], &total);
    GIVE(device->readings[MEMORY_RESERVED], &reserved);
    GIVE(device->readings[MEMORY_USED], &used);
    *memory = (nvmlMemory_t){total * MIB, (total - reserved - used) * MIB, (reserved + used) * MIB};
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
    unsigned long long total, reserved, used;
    ENTER_GPU(device);
    REQUIRE_VERSION(memory, nvmlMemory_v2);
    GIVE(device->readings[MEMORY_TOTAL], &total);
    GIVE(device->readings[MEMORY_RESERVED], &reserved);
    GIVE(device->readings[MEMORY_USED], &used);
    memory->total = total * MIB;
    memory->reserved = reserved * MIB;
    memory->used = used * MIB;
    memory->free = (total - reserved - used) * MIB;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *memory)
{
    unsigned long long total, used;
    ENTER_GPU(device);
    REQUIRE(memory);
    GIVE(device->readings[BAR1_TOTAL], &total);
    GIVE(device->readings[BAR1_USED], &used);
    *memory = (nvmlBAR1Memory_t){total * MIB, (total - used) * MIB, used * MIB};
    return NVML_SUCCESS;
}

GETTER(nvmlDeviceGetMemoryBusWidth, unsigned int, MEMORY_BUS_WIDTH)
GETTER(nvmlDeviceGetDefaultEccMode, nvmlEnableState_t, ECC_MODE)

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current, nvmlEnableState_t *pending)
{
    ENTER_GPU(device);
    REQUIRE(current && pending);
    GIVE(device->readings[ECC_MODE], current);
    GIVE(device->readings[ECC_MODE_PENDING], pending);
    return NVML_SUCCESS;
}

/* Counters exist only while ECC is on. */
nvmlReturn_t ecc_count(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter, nvmlMemoryLocation_t location,
                       unsigned long long *count)
{
    static const enum gpu_key keys[2][2][2] = {
        {{ECC_VOLATILE_CORRECTED_DRAM, ECC_VOLATILE_CORRECTED_SRAM}, {ECC_AGGREGATE_CORRECTED_DRAM, ECC_AGGREGATE_CORRECTED_SRAM}},
        {{ECC_VOLATILE_UNCORRECTED_DRAM, ECC_VOLATILE_UNCORRECTED_SRAM},
         {ECC_AGGREGATE_UNCORRECTED_DRAM, ECC_AGGREGATE_UNCORRECTED_SRAM}},
    };
    unsigned int enabled;
    REQUIRE(count && type < NVML_MEMORY_ERROR_TYPE_COUNT && counter < NVML_ECC_COUNTER_TYPE_COUNT);
    REQUIRE(location < NVML_MEMORY_LOCATION_COUNT);
    GIVE(device->readings[ECC_MODE], &enabled);
    if (!enabled || (location != NVML_MEMORY_LOCATION_DRAM && location != NVML_MEMORY_LOCATION_SRAM))
        return NVML_ERROR_NOT_SUPPORTED;
    GIVE(device->readings[keys[type][counter][location == NVML_MEMORY_LOCATION_SRAM]], count);
    return NVML_SUCCESS;
}

nvmlReturn_t ecc_total(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter, unsigned long long *count)
{
    unsigned long long dram, sram;
    nvmlReturn_t result = ecc_count(device, type, counter, NVML_MEMORY_LOCATION_DRAM, &dram);
    if (result == NVML_SUCCESS)
        result = ecc_count(device, type, counter, NVML_MEMORY_LOCATION_SRAM, &sram);
    if (result == NVML_SUCCESS)
        *count = dram + sram;
    return result;
}

nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                                             nvmlMemoryLocation_t location, unsigned long long *count)
{
    ENTER_GPU(device);
    return ecc_count(device, type, counter, location, count);
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                                         unsigned long long *count)
{
    ENTER_GPU(device);
    REQUIRE(count);
    return ecc_total(device, type, counter, count);
}

nvmlReturn_t nvmlDeviceGetDetailedEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                                            nvmlEccErrorCounts_t *counts)
{
    ENTER_GPU(device);
    REQUIRE(counts);
    memset(counts, 0, sizeof *counts);
    return ecc_count(device, type, counter, NVML_MEMORY_LOCATION_DRAM, &counts->deviceMemory);
}

nvmlReturn_t nvmlDeviceGetSramEccErrorStatus(nvmlDevice_t device, nvmlEccSramErrorStatus_t *status)
{
    const struct reading *readings;
    unsigned int enabled;
    ENTER_GPU(device);
    REQUIRE_VERSION(status, nvmlEccSramErrorStatus_v1);
    readings = device->readings;
    GIVE(readings[ECC_MODE], &enabled);
    if (!enabled)
        return NVML_ERROR_NOT_SUPPORTED;
    GIVE(readings[ECC_AGGREGATE_UNCORRECTED_SRAM], &status->aggregateUncSecDed);
    GIVE(readings[ECC_AGGREGATE_CORRECTED_SRAM], &status->aggregateCor);
    GIVE(readings[ECC_VOLATILE_UNCORRECTED_SRAM], &status->volatileUncSecDed);
    GIVE(readings[ECC_VOLATILE_CORRECTED_SRAM], &status->volatileCor);
    GIVE(readings[ECC_SRAM_THRESHOLD_EXCEEDED], &status->bThresholdExceeded);
    status->aggregateUncParity = status->volatileUncParity = 0;
    status->aggregateUncBucketL2 = status->aggregateUncSecDed;
    status->aggregateUncBucketSm = status->aggregateUncBucketPcie = 0;
    status->aggregateUncBucketMcu = status->aggregateUncBucketOther = 0;
    return NVML_SUCCESS;
}

/* Row remapping is not reported while the GPU is partitioned. */
nvmlReturn_t remapping_readable(nvmlDevice_t device)
{
    return device->readings[MIG_MODE].number ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *correctable, unsigned int *uncorrectable,
                                       unsigned int *pending, unsigned int *failure)
{
    ENTER_GPU(device);
    REQUIRE(correctable && uncorrectable && pending && failure);
    if (remapping_readable(device) != NVML_SUCCESS)
        return NVML_ERROR_NOT_SUPPORTED;
    GIVE(device->readings[REMAPPED_CORRECTABLE], correctable);
    GIVE(device->readings[REMAPPED_UNCORRECTABLE], uncorrectable);
    GIVE(device->readings[REMAPPED_PENDING], pending);
    GIVE(device->readings[REMAPPED_FAILURE], failure);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRowRemapperHistogram(nvmlDevice_t device, nvmlRowRemapperHistogramValues_t *values)
{
    ENTER_GPU(device);
    REQUIRE(values);
    if (remapping_readable(device) != NVML_SUCCESS)
        return NVML_ERROR_NOT_SUPPORTED;
    GIVE(device->readings[REMAPPED_BANKS_MAX], &values->max);
    GIVE(device->readings[REMAPPED_BANKS_HIGH], &values->high);
    GIVE(device->readings[REMAPPED_BANKS_PARTIAL], &values->partial);
    GIVE(device->readings[REMAPPED_BANKS_LOW], &values->low);
    GIVE(device->readings[REMAPPED_BANKS_NONE], &values->none);
    return NVML_SUCCESS;
}

/* The caller's array and its size, as everywhere in NVML: too small gives the size wanted. */
static nvmlReturn_t give_pages(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int *count,
                               unsigned long long *addresses, unsigned long long *timestamps)
{
    unsigned int pages;
    REQUIRE(count && cause < NVML_PAGE_RETIREMENT_CAUSE_COUNT);
    GIVE(device->readings[cause == NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR ? RETIRED_DOUBLE_BIT : RETIRED_SINGLE_BIT], &pages);
    unsigned int room = *count;
    *count = pages;
    if (room < pages)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned int page = 0; page < pages && addresses; page++) {
        addresses[page] = 0x100000ULL + page * 0x10000ULL;
        if (timestamps)
            timestamps[page] = 1700000000ULL * 1000000ULL;
    }
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRetiredPages(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int *count,
                                       unsigned long long *addresses)
{
    ENTER_GPU(device);
    return give_pages(device, cause, count, addresses, NULL);
}

nvmlReturn_t nvmlDeviceGetRetiredPages_v2(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int *count,
                                          unsigned long long *addresses, unsigned long long *timestamps)
{
    ENTER_GPU(device);
    return give_pages(device, cause, count, addresses, timestamps);
}

GETTER(nvmlDeviceGetRetiredPagesPendingStatus, nvmlEnableState_t, RETIRED_PENDING)
