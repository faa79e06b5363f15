/* How GPUs, processors and memory lie to each other. */
#include <stdlib.h>
#include <string.h>

#include "double.h"

#define LONG_BITS (8 * sizeof(unsigned long))

/* "0-3,8" as a bit set. */
static void fill_set(const char *list, unsigned int size, unsigned long *set)
{
    memset(set, 0, size * sizeof *set);
    while (*list) {
        char *end;
        unsigned long first = strtoul(list, &end, 10), last = first;
        if (end == list)
            return;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        for (unsigned long cpu = first; cpu <= last && cpu < size * LONG_BITS; cpu++)
            set[cpu / LONG_BITS] |= 1UL << cpu % LONG_BITS;
        list = *end == ',' ? end + 1 : end;
    }
}

static nvmlReturn_t cpu_set(nvmlDevice_t device, unsigned int size, unsigned long *set)
{
    REQUIRE(set && size > 0);
    if (device->readings[CPUS].status == NVML_SUCCESS)
        fill_set(device->readings[CPUS].text, size, set);
    return device->readings[CPUS].status;
}

nvmlReturn_t nvmlDeviceGetCpuAffinity(nvmlDevice_t device, unsigned int size, unsigned long *set)
{
    ENTER_GPU(device);
    return cpu_set(device, size, set);
}

nvmlReturn_t nvmlDeviceGetCpuAffinityWithinScope(nvmlDevice_t device, unsigned int size, unsigned long *set, nvmlAffinityScope_t scope)
{
    (void)scope;
    ENTER_GPU(device);
    return cpu_set(device, size, set);
}

nvmlReturn_t nvmlDeviceGetMemoryAffinity(nvmlDevice_t device, unsigned int size, unsigned long *set, nvmlAffinityScope_t scope)
{
    int node;
    (void)scope;
    ENTER_GPU(device);
    REQUIRE(set && size > 0);
    GIVE(device->readings[NUMA_NODE], &node);
    if (node < 0)
        return NVML_ERROR_NOT_SUPPORTED;
    memset(set, 0, size * sizeof *set);
    if ((unsigned int)node < size * LONG_BITS)
        set[(unsigned int)node / LONG_BITS] = 1UL << (unsigned int)node % LONG_BITS;
    return NVML_SUCCESS;
}

/* The GPU's own NUMA node exists only where its memory is the system's (Grace Hopper). */
nvmlReturn_t nvmlDeviceGetNumaNodeId(nvmlDevice_t device, unsigned int *node)
{
    ENTER_GPU(device);
    REQUIRE_DRIVER(550);
    REQUIRE(node);
    return NVML_ERROR_NOT_SUPPORTED;
}

nvmlGpuTopologyLevel_t common_ancestor(nvmlDevice_t left, nvmlDevice_t right)
{
    if (left == right)
        return NVML_TOPOLOGY_INTERNAL;
    return left->readings[NUMA_NODE].number == right->readings[NUMA_NODE].number ? NVML_TOPOLOGY_NODE : NVML_TOPOLOGY_SYSTEM;
}

nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t left, nvmlDevice_t right, nvmlGpuTopologyLevel_t *level)
{
    ENTER_GPU(left);
    ENTER_GPU(right);
    REQUIRE(level);
    *level = common_ancestor(left, right);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTopologyNearestGpus(nvmlDevice_t device, nvmlGpuTopologyLevel_t level, unsigned int *count,
                                              nvmlDevice_t *devices)
{
    ENTER_GPU(device);
    REQUIRE(count);
    unsigned int room = devices ? *count : 0, found = 0;
    for (unsigned int index = 0; index < scenario.visible; index++) {
        nvmlDevice_t other = scenario.by_index[index];
        if (other == device || common_ancestor(device, other) != level)
            continue;
        if (found < room)
            devices[found] = other;
        found++;
    }
    *count = found;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetTopologyGpuSet(unsigned int cpu, unsigned int *count, nvmlDevice_t *devices)
{
    unsigned long set[128];
    ENTER_SYSTEM();
    REQUIRE(count && cpu < sizeof set * 8);
    unsigned int room = devices ? *count : 0, found = 0;
    for (unsigned int index = 0; index < scenario.visible; index++) {
        if (cpu_set(scenario.by_index[index], sizeof set / sizeof *set, set) != NVML_SUCCESS)
            continue;
        if (!(set[cpu / LONG_BITS] >> cpu % LONG_BITS & 1))
            continue;
        if (found < room)
            devices[found] = scenario.by_index[index];
        found++;
    }
    *count = found;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t left, nvmlDevice_t right, nvmlGpuP2PCapsIndex_t capability, nvmlGpuP2PStatus_t *status)
{
    ENTER_GPU(left);
    ENTER_GPU(right);
    REQUIRE(status && left != right && capability < NVML_P2P_CAPS_INDEX_UNKNOWN);
    bool linked = links_between(left, right) > 0;
    *status = capability == NVML_P2P_CAPS_INDEX_NVLINK && !linked ? NVML_P2P_STATUS_NOT_SUPPORTED : NVML_P2P_STATUS_OK;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceOnSameBoard(nvmlDevice_t left, nvmlDevice_t right, int *same)
{
    ENTER_GPU(left);
    ENTER_GPU(right);
    REQUIRE(same);
    *same = left == right;
    return NVML_SUCCESS;
}
