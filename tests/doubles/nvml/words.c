/* The words that values of the scenario are written in. */
#include "double.h"

const struct word truth_words[] = {{"false", 0}, {"true", 1}, {0}};
const struct word switch_words[] = {{"disabled", 0}, {"enabled", 1}, {0}};
const struct word lost_words[] = {{"false", 0}, {"true", 1}, {"handle", 2}, {0}};
const struct word link_state_words[] = {{"down", 0}, {"up", 1}, {"sleep", 2}, {0}};

const struct word brand_words[] = {
    {"tesla", NVML_BRAND_TESLA},           {"quadro_rtx", NVML_BRAND_QUADRO_RTX}, {"nvidia", NVML_BRAND_NVIDIA},
    {"nvidia_rtx", NVML_BRAND_NVIDIA_RTX}, {"geforce", NVML_BRAND_GEFORCE},       {0},
};
const struct word architecture_words[] = {
    {"volta", NVML_DEVICE_ARCH_VOLTA},   {"turing", NVML_DEVICE_ARCH_TURING}, {"ampere", NVML_DEVICE_ARCH_AMPERE},
    {"ada", NVML_DEVICE_ARCH_ADA},       {"hopper", NVML_DEVICE_ARCH_HOPPER}, {"blackwell", NVML_DEVICE_ARCH_BLACKWELL},
    {"unknown", NVML_DEVICE_ARCH_UNKNOWN}, {0},
};
const struct word recovery_words[] = {
    {"none", NVML_GPU_RECOVERY_ACTION_NONE},
    {"gpu_reset", NVML_GPU_RECOVERY_ACTION_GPU_RESET},
    {"node_reboot", NVML_GPU_RECOVERY_ACTION_NODE_REBOOT},
    {"drain_p2p", NVML_GPU_RECOVERY_ACTION_DRAIN_P2P},
    {"drain_and_reset", NVML_GPU_RECOVERY_ACTION_DRAIN_AND_RESET},
    {"recover_imex", NVML_GPU_RECOVERY_ACTION_RECOVER_IMEX_DOMAIN},
    {"bus_reset", NVML_GPU_RECOVERY_ACTION_BUS_RESET},
    {"system_reboot", NVML_GPU_RECOVERY_ACTION_SYSTEM_REBOOT},
    {0},
};
const struct word reason_words[] = {
    {"none", nvmlClocksEventReasonNone},
    {"gpu_idle", nvmlClocksEventReasonGpuIdle},
    {"application_clocks", nvmlClocksEventReasonApplicationsClocksSetting},
    {"sw_power_cap", nvmlClocksEventReasonSwPowerCap},
    {"hw_slowdown", nvmlClocksThrottleReasonHwSlowdown},
    {"sync_boost", nvmlClocksEventReasonSyncBoost},
    {"sw_thermal", nvmlClocksEventReasonSwThermalSlowdown},
    {"hw_thermal", nvmlClocksThrottleReasonHwThermalSlowdown},
    {"power_brake", nvmlClocksThrottleReasonHwPowerBrakeSlowdown},
    {"display_clock", nvmlClocksEventReasonDisplayClockSetting},
    {0},
};
const struct word remote_words[] = {
    {"gpu", NVML_NVLINK_DEVICE_TYPE_GPU},
    {"switch", NVML_NVLINK_DEVICE_TYPE_SWITCH},
    {0},
};
const struct word fabric_state_words[] = {
    {"not_supported", NVML_GPU_FABRIC_STATE_NOT_SUPPORTED},
    {"not_started", NVML_GPU_FABRIC_STATE_NOT_STARTED},
    {"in_progress", NVML_GPU_FABRIC_STATE_IN_PROGRESS},
    {"completed", NVML_GPU_FABRIC_STATE_COMPLETED},
    {0},
};
const struct word compute_words[] = {
    {"default", NVML_COMPUTEMODE_DEFAULT},
    {"exclusive_thread", NVML_COMPUTEMODE_EXCLUSIVE_THREAD},
    {"prohibited", NVML_COMPUTEMODE_PROHIBITED},
    {"exclusive_process", NVML_COMPUTEMODE_EXCLUSIVE_PROCESS},
    {0},
};

#define KEY(identifier, name, kind, words, initial) {name, kind, words, initial, false},
#define FIXED(identifier, name, kind, words, initial) {name, kind, words, initial, true},
const struct key gpu_keys[GPU_KEYS] = {
#include "gpu_keys.def"
};
const struct key link_keys[LINK_KEYS] = {
#include "link_keys.def"
};
