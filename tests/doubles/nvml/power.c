/* Power, heat and fans. */
#include "double.h"

GETTER(nvmlDeviceGetPowerUsage, unsigned int, POWER_DRAW)
GETTER(nvmlDeviceGetPowerManagementLimit, unsigned int, POWER_LIMIT)
GETTER(nvmlDeviceGetEnforcedPowerLimit, unsigned int, POWER_LIMIT_ENFORCED)
GETTER(nvmlDeviceGetPowerManagementDefaultLimit, unsigned int, POWER_LIMIT_DEFAULT)
GETTER(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, ENERGY)
GETTER(nvmlDeviceGetFanSpeed, unsigned int, FAN_SPEED)

nvmlReturn_t nvmlDeviceGetPowerManagementMode(nvmlDevice_t device, nvmlEnableState_t *mode)
{
    ENTER_GPU(device);
    REQUIRE(mode);
    *mode = NVML_FEATURE_ENABLED;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned int *minimum, unsigned int *maximum)
{
    ENTER_GPU(device);
    REQUIRE(minimum && maximum);
    GIVE(device->readings[POWER_LIMIT_MIN], minimum);
    GIVE(device->readings[POWER_LIMIT_MAX], maximum);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPowerSource(nvmlDevice_t device, nvmlPowerSource_t *source)
{
    ENTER_GPU(device);
    REQUIRE(source);
    *source = NVML_POWER_SOURCE_AC;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned int *temperature)
{
    ENTER_GPU(device);
    REQUIRE(temperature && sensor == NVML_TEMPERATURE_GPU);
    GIVE(device->readings[TEMPERATURE], temperature);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *temperature)
{
    ENTER_GPU(device);
    REQUIRE_DRIVER(565);
    REQUIRE_VERSION(temperature, nvmlTemperature_v1);
    REQUIRE(temperature->sensorType == NVML_TEMPERATURE_GPU);
    GIVE(device->readings[TEMPERATURE], &temperature->temperature);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMarginTemperature(nvmlDevice_t device, nvmlMarginTemperature_t *margin)
{
    ENTER_GPU(device);
    REQUIRE_DRIVER(565);
    REQUIRE_VERSION(margin, nvmlMarginTemperature_v1);
    GIVE(device->readings[TEMPERATURE_MARGIN], &margin->marginTemperature);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, nvmlTemperatureThresholds_t threshold, unsigned int *temperature)
{
    static const enum gpu_key keys[] = {
        [NVML_TEMPERATURE_THRESHOLD_SHUTDOWN] = TEMPERATURE_SHUTDOWN,
        [NVML_TEMPERATURE_THRESHOLD_SLOWDOWN] = TEMPERATURE_SLOWDOWN,
        [NVML_TEMPERATURE_THRESHOLD_MEM_MAX] = TEMPERATURE_MEMORY_MAX,
        [NVML_TEMPERATURE_THRESHOLD_GPU_MAX] = TEMPERATURE_GPU_MAX,
    };
    ENTER_GPU(device);
    REQUIRE(temperature && threshold < NVML_TEMPERATURE_THRESHOLD_COUNT);
    if (threshold >= sizeof keys / sizeof *keys)
        return NVML_ERROR_NOT_SUPPORTED;
    GIVE(device->readings[keys[threshold]], temperature);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNumFans(nvmlDevice_t device, unsigned int *count)
{
    ENTER_GPU(device);
    REQUIRE(count);
    *count = device->readings[FAN_SPEED].status == NVML_SUCCESS;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned int fan, unsigned int *speed)
{
    ENTER_GPU(device);
    REQUIRE(speed && fan == 0);
    GIVE(device->readings[FAN_SPEED], speed);
    return NVML_SUCCESS;
}
