/* nvmlDeviceGetFieldValues: one table from field to reading, each field with its own status. */
#include <sys/time.h>

#include "double.h"

enum scope { OF_GPU, OF_LINK, OF_ALL_LINKS, OF_FIXED_LINK };

struct field {
    unsigned int first, last; /* OF_FIXED_LINK: a range of fields, one for each link from .link on */
    enum scope scope;
    unsigned int key;
    unsigned int link;
};

#define GPU_FIELD(id, key) {NVML_FI_DEV_##id, NVML_FI_DEV_##id, OF_GPU, key, 0}
#define LINK_FIELD(id, key) {NVML_FI_DEV_NVLINK_##id, NVML_FI_DEV_NVLINK_##id, OF_LINK, key, 0}
#define LANE_FIELDS(name, key)                                                                                 \
    {NVML_FI_DEV_NVLINK_##name##_ERROR_COUNT_L0, NVML_FI_DEV_NVLINK_##name##_ERROR_COUNT_L5, OF_FIXED_LINK, key, 0},  \
    {NVML_FI_DEV_NVLINK_##name##_ERROR_COUNT_L6, NVML_FI_DEV_NVLINK_##name##_ERROR_COUNT_L11, OF_FIXED_LINK, key, 6}, \
    {NVML_FI_DEV_NVLINK_##name##_ERROR_COUNT_TOTAL, NVML_FI_DEV_NVLINK_##name##_ERROR_COUNT_TOTAL, OF_ALL_LINKS, key, 0}

static const struct field fields[] = {
    GPU_FIELD(ECC_CURRENT, ECC_MODE),
    GPU_FIELD(ECC_PENDING, ECC_MODE_PENDING),
    GPU_FIELD(ECC_SBE_VOL_DEV, ECC_VOLATILE_CORRECTED_DRAM),
    GPU_FIELD(ECC_DBE_VOL_DEV, ECC_VOLATILE_UNCORRECTED_DRAM),
    GPU_FIELD(ECC_SBE_AGG_DEV, ECC_AGGREGATE_CORRECTED_DRAM),
    GPU_FIELD(ECC_DBE_AGG_DEV, ECC_AGGREGATE_UNCORRECTED_DRAM),
    GPU_FIELD(RETIRED_SBE, RETIRED_SINGLE_BIT),
    GPU_FIELD(RETIRED_DBE, RETIRED_DOUBLE_BIT),
    GPU_FIELD(RETIRED_PENDING, RETIRED_PENDING),
    GPU_FIELD(REMAPPED_COR, REMAPPED_CORRECTABLE),
    GPU_FIELD(REMAPPED_UNC, REMAPPED_UNCORRECTABLE),
    GPU_FIELD(REMAPPED_PENDING, REMAPPED_PENDING),
    GPU_FIELD(REMAPPED_FAILURE, REMAPPED_FAILURE),
    GPU_FIELD(MEMORY_TEMP, TEMPERATURE_MEMORY),
    GPU_FIELD(TOTAL_ENERGY_CONSUMPTION, ENERGY),
    GPU_FIELD(ENERGY, ENERGY),
    GPU_FIELD(PCIE_REPLAY_COUNTER, PCIE_REPLAYS),
    GPU_FIELD(PCIE_REPLAY_ROLLOVER_COUNTER, PCIE_REPLAY_ROLLOVERS),
    GPU_FIELD(PCIE_COUNT_CORRECTABLE_ERRORS, PCIE_CORRECTABLE_ERRORS),
    GPU_FIELD(PCIE_COUNT_NON_FATAL_ERROR, PCIE_NON_FATAL_ERRORS),
    GPU_FIELD(PCIE_COUNT_FATAL_ERROR, PCIE_FATAL_ERRORS),
    GPU_FIELD(POWER_AVERAGE, POWER_DRAW),
    GPU_FIELD(POWER_INSTANT, POWER_DRAW),
    GPU_FIELD(POWER_MIN_LIMIT, POWER_LIMIT_MIN),
    GPU_FIELD(POWER_MAX_LIMIT, POWER_LIMIT_MAX),
    GPU_FIELD(POWER_DEFAULT_LIMIT, POWER_LIMIT_DEFAULT),
    GPU_FIELD(POWER_CURRENT_LIMIT, POWER_LIMIT_ENFORCED),
    GPU_FIELD(POWER_REQUESTED_LIMIT, POWER_LIMIT),
    GPU_FIELD(TEMPERATURE_SHUTDOWN_TLIMIT, MARGIN_SHUTDOWN),
    GPU_FIELD(TEMPERATURE_SLOWDOWN_TLIMIT, MARGIN_SLOWDOWN),
    GPU_FIELD(TEMPERATURE_GPU_MAX_TLIMIT, MARGIN_GPU_MAX),
    GPU_FIELD(TEMPERATURE_MEM_MAX_TLIMIT, MARGIN_MEMORY_MAX),
    GPU_FIELD(GET_GPU_RECOVERY_ACTION, RECOVERY_ACTION),
    GPU_FIELD(NVLINK_LINK_COUNT, NVLINK_COUNT),
    GPU_FIELD(NVLINK_SPEED_MBPS_COMMON, NVLINK_SPEED),
    LINK_FIELD(GET_STATE, LINK_STATE),
    LINK_FIELD(ERROR_DL_REPLAY, LINK_REPLAY_ERRORS),
    LINK_FIELD(ERROR_DL_RECOVERY, LINK_RECOVERY_ERRORS),
    LINK_FIELD(ERROR_DL_CRC, LINK_CRC_FLIT_ERRORS),
    LINK_FIELD(COUNT_RCV_ERRORS, LINK_RECEIVE_ERRORS),
    LINK_FIELD(COUNT_SYMBOL_ERRORS, LINK_SYMBOL_ERRORS),
    LINK_FIELD(COUNT_EFFECTIVE_ERRORS, LINK_EFFECTIVE_ERRORS),
    LINK_FIELD(COUNT_LOCAL_LINK_INTEGRITY_ERRORS, LINK_INTEGRITY_ERRORS),
    LINK_FIELD(COUNT_LINK_RECOVERY_FAILED_EVENTS, LINK_RECOVERIES_FAILED),
    LINK_FIELD(COUNT_LINK_RECOVERY_SUCCESSFUL_EVENTS, LINK_RECOVERIES_DONE),
    LANE_FIELDS(CRC_FLIT, LINK_CRC_FLIT_ERRORS),
    LANE_FIELDS(CRC_DATA, LINK_CRC_DATA_ERRORS),
    LANE_FIELDS(REPLAY, LINK_REPLAY_ERRORS),
    LANE_FIELDS(RECOVERY, LINK_RECOVERY_ERRORS),
};

static const struct {
    unsigned int id;
    nvmlMemoryErrorType_t type;
    nvmlEccCounterType_t counter;
} ecc_totals[] = {
    {NVML_FI_DEV_ECC_SBE_VOL_TOTAL, NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_VOLATILE_ECC},
    {NVML_FI_DEV_ECC_DBE_VOL_TOTAL, NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC},
    {NVML_FI_DEV_ECC_SBE_AGG_TOTAL, NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_AGGREGATE_ECC},
    {NVML_FI_DEV_ECC_DBE_AGG_TOTAL, NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_AGGREGATE_ECC},
};

/* The fields that a driver branch knows end somewhere (by its nvml.h, rounded up). */
static unsigned int last_known_field(void)
{
    unsigned int branch = driver_branch();
    return branch < 545 ? 200 : branch < 560 ? 227 : branch < 570 ? 229 : branch < 575 ? 250 : NVML_FI_MAX - 1;
}

static nvmlReturn_t sum_links(nvmlDevice_t device, unsigned int key, unsigned long long *value)
{
    unsigned long long one;
    unsigned int count;
    GIVE(device->readings[NVLINK_COUNT], &count);
    if (count == 0)
        return NVML_ERROR_NOT_SUPPORTED;
    *value = 0;
    for (unsigned int link = 0; link < count && link < MAX_LINKS; link++) {
        GIVE(device->links[link][key], &one);
        *value += one;
    }
    return NVML_SUCCESS;
}

static nvmlReturn_t read_link_field(nvmlDevice_t device, unsigned int key, unsigned int link, unsigned long long *value)
{
    nvmlReturn_t result = link_check(device, link);
    if (result != NVML_SUCCESS)
        return result;
    GIVE(device->links[link][key], value);
    return NVML_SUCCESS;
}

static nvmlReturn_t read_table_field(nvmlDevice_t device, const struct field *field, const nvmlFieldValue_t *asked,
                                     unsigned long long *value)
{
    switch (field->scope) {
    case OF_GPU:
        if (field->key >= REMAPPED_CORRECTABLE && field->key <= REMAPPED_FAILURE && remapping_readable(device) != NVML_SUCCESS)
            return NVML_ERROR_NOT_SUPPORTED;
        GIVE(device->readings[field->key], value);
        return NVML_SUCCESS;
    case OF_LINK:
        return read_link_field(device, field->key, asked->scopeId, value);
    case OF_FIXED_LINK:
        return read_link_field(device, field->key, field->link + asked->fieldId - field->first, value);
    case OF_ALL_LINKS:
        return sum_links(device, field->key, value);
    }
    return NVML_ERROR_UNKNOWN;
}

static nvmlReturn_t read_link_constant(nvmlDevice_t device, const nvmlFieldValue_t *asked, enum gpu_key key, unsigned long long *value)
{
    nvmlReturn_t result = link_check(device, asked->scopeId);
    if (result != NVML_SUCCESS)
        return result;
    GIVE(device->readings[key], value);
    return NVML_SUCCESS;
}

static nvmlReturn_t read_field(nvmlDevice_t device, const nvmlFieldValue_t *asked, unsigned long long *value)
{
    if (asked->fieldId == 0 || asked->fieldId > last_known_field())
        return NVML_ERROR_NOT_SUPPORTED;
    for (size_t row = 0; row < sizeof ecc_totals / sizeof *ecc_totals; row++)
        if (ecc_totals[row].id == asked->fieldId)
            return ecc_total(device, ecc_totals[row].type, ecc_totals[row].counter, value);
    for (size_t row = 0; row < sizeof fields / sizeof *fields; row++)
        if (asked->fieldId >= fields[row].first && asked->fieldId <= fields[row].last)
            return read_table_field(device, &fields[row], asked, value);
    switch (asked->fieldId) {
    case NVML_FI_DEV_NVLINK_GET_SPEED:
        return read_link_constant(device, asked, NVLINK_SPEED, value);
    case NVML_FI_DEV_NVLINK_GET_VERSION:
        return read_link_constant(device, asked, NVLINK_VERSION, value);
    default:
        return NVML_ERROR_NOT_SUPPORTED;
    }
}

static nvmlValueType_t value_type(unsigned int id, unsigned long long value)
{
    if (id >= NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT && id <= NVML_FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT)
        return NVML_VALUE_TYPE_SIGNED_INT;
    bool wide = value > 0xffffffffULL || id == NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION || id == NVML_FI_DEV_ENERGY;
    return wide ? NVML_VALUE_TYPE_UNSIGNED_LONG_LONG : NVML_VALUE_TYPE_UNSIGNED_INT;
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values)
{
    nvmlReturn_t overall = NVML_ERROR_NOT_SUPPORTED;
    struct timeval now;
    ENTER_GPU(device);
    REQUIRE(values && count > 0);
    gettimeofday(&now, NULL);
    for (int index = 0; index < count; index++) {
        nvmlFieldValue_t *field = &values[index];
        unsigned long long value = 0;
        field->timestamp = (long long)now.tv_sec * 1000000LL + now.tv_usec;
        field->latencyUsec = 1;
        field->nvmlReturn = read_field(device, field, &value);
        field->valueType = value_type(field->fieldId, value);
        field->value.ullVal = value;
        if (field->nvmlReturn == NVML_SUCCESS)
            overall = NVML_SUCCESS;
        else if (overall != NVML_SUCCESS)
            overall = field->nvmlReturn;
    }
    return overall;
}
