/* nvmlInternalGetExportTable: the undocumented table of functions that nvidia-smi takes some of its answers from.
 *
 * The table begins with its size in bytes; each further slot is a function, whose meaning goes with the number of the slot. The
 * meanings here were found with nvidia-smi 535.309.01 and 550.163.01 (give one slot a value, see which line changes), so they are
 * known for these. A slot that is not known answers NOT_SUPPORTED, which nvidia-smi prints as N/A. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "double.h"

enum slot {
    SLOT_TOPOLOGY = 23,           /* (bus id, bus id, level) */
    SLOT_ENFORCED_POWER = 108,    /* (device, milliwatts) */
    SLOT_PROCESSES_COMPUTE = 213, /* (device, count, entries) */
    SLOT_PROCESSES_GRAPHICS = 214,
    SLOT_PROCESSES_MPS = 215,
    SLOT_HOST_PCIE_GEN = 230,     /* (device, generation) */
    SLOT_GPU_PART_NUMBER = 231,   /* (device, text, length) */
    SLOT_TEMPERATURE_MARGIN = 240 /* (device, degrees) */
};

/* As nvidia-smi reads it: a process's numbers, then its name. */
struct process_entry {
    unsigned int pid;
    unsigned long long bytes;
    unsigned int gpu_instance, compute_instance;
    unsigned long long protected_bytes;
    char name[4096];
};

static nvmlReturn_t give_processes(nvmlDevice_t device, unsigned int *count, struct process_entry *entries)
{
    unsigned int room = *count;
    *count = device->process_count;
    if (room < *count)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned int index = 0; index < *count; index++) {
        const struct process *process = &device->processes[index];
        struct process_entry *entry = &entries[index];
        entry->pid = process->pid;
        entry->bytes = process->bytes;
        entry->gpu_instance = entry->compute_instance = 0xffffffffU;
        entry->protected_bytes = 0;
        snprintf(entry->name, sizeof entry->name, "%s", process->name);
    }
    return NVML_SUCCESS;
}

/* nvidia-smi's own scale: 0 PIX, 1 PXB, 2 PHB, 3 NODE, 4 SYS, and 4 + n for n NVLinks. */
static nvmlReturn_t give_topology(const char *left, const char *right, unsigned int *level)
{
    nvmlDevice_t pair[2] = {gpu_by_bus_id(left), gpu_by_bus_id(right)};
    if (!pair[0] || !pair[1])
        return NVML_ERROR_NOT_FOUND;
    unsigned int links = links_between(pair[0], pair[1]);
    *level = links ? 4 + links : common_ancestor(pair[0], pair[1]) / 10 - 1;
    return NVML_SUCCESS;
}

static nvmlReturn_t answer_of_gpu(unsigned int slot, nvmlDevice_t device, void *target, uintptr_t third)
{
    nvmlReturn_t gate = enter_gpu("nvmlInternalGetExportTable", device);
    if (gate != NVML_SUCCESS)
        return gate;
    REQUIRE(target);
    switch (slot) {
    case SLOT_ENFORCED_POWER:
        GIVE(device->readings[POWER_LIMIT_ENFORCED], (unsigned int *)target);
        return NVML_SUCCESS;
    case SLOT_PROCESSES_COMPUTE:
        return give_processes(device, target, (struct process_entry *)third);
    case SLOT_PROCESSES_GRAPHICS:
    case SLOT_PROCESSES_MPS:
        *(unsigned int *)target = 0;
        return NVML_SUCCESS;
    case SLOT_HOST_PCIE_GEN:
        GIVE(device->readings[PCIE_GEN_MAX], (unsigned int *)target);
        return NVML_SUCCESS;
    case SLOT_GPU_PART_NUMBER:
        return give_reading_text(&device->readings[GPU_PART_NUMBER], target, (unsigned int)third);
    case SLOT_TEMPERATURE_MARGIN:
        GIVE(device->readings[TEMPERATURE_MARGIN], (int *)target);
        return NVML_SUCCESS;
    default:
        return NVML_ERROR_NOT_SUPPORTED;
    }
}

static nvmlReturn_t answer(unsigned int slot, uintptr_t first, uintptr_t second, uintptr_t third)
{
    if (getenv("GPU_FLEET_DOUBLE_TRACE"))
        fprintf(stderr, "gpu-fleet double: slot %u of the export table\n", slot);
    switch (slot) {
    case SLOT_TOPOLOGY:
        return give_topology((void *)first, (void *)second, (void *)third);
    case SLOT_ENFORCED_POWER:
    case SLOT_PROCESSES_COMPUTE:
    case SLOT_PROCESSES_GRAPHICS:
    case SLOT_PROCESSES_MPS:
    case SLOT_HOST_PCIE_GEN:
    case SLOT_GPU_PART_NUMBER:
    case SLOT_TEMPERATURE_MARGIN:
        return answer_of_gpu(slot, (void *)first, (void *)second, third);
    default:
        return NVML_ERROR_NOT_SUPPORTED;
    }
}

/* One function for each slot: SLOT(high, low) is number 16 * high + low. */
#define SLOT(high, low)                                                                                      \
    static nvmlReturn_t slot_##high##_##low(uintptr_t first, uintptr_t second, uintptr_t third)              \
    {                                                                                                        \
        return answer(16 * high + low, first, second, third);                                                \
    }
#define ADDRESS(high, low) (void *)slot_##high##_##low,
#define SIXTEEN(macro, high)                                                                                 \
    macro(high, 0) macro(high, 1) macro(high, 2) macro(high, 3) macro(high, 4) macro(high, 5) macro(high, 6) \
    macro(high, 7) macro(high, 8) macro(high, 9) macro(high, 10) macro(high, 11) macro(high, 12)             \
    macro(high, 13) macro(high, 14) macro(high, 15)
#define ALL(macro)                                                                                           \
    SIXTEEN(macro, 0) SIXTEEN(macro, 1) SIXTEEN(macro, 2) SIXTEEN(macro, 3) SIXTEEN(macro, 4)                \
    SIXTEEN(macro, 5) SIXTEEN(macro, 6) SIXTEEN(macro, 7) SIXTEEN(macro, 8) SIXTEEN(macro, 9)                \
    SIXTEEN(macro, 10) SIXTEEN(macro, 11) SIXTEEN(macro, 12) SIXTEEN(macro, 13) SIXTEEN(macro, 14)           \
    SIXTEEN(macro, 15) SIXTEEN(macro, 16) SIXTEEN(macro, 17)

ALL(SLOT)

nvmlReturn_t nvmlInternalGetExportTable(const void **found, const void *id);

nvmlReturn_t nvmlInternalGetExportTable(const void **found, const void *id)
{
    static const unsigned char known[16] = {0xc4, 0xfe, 0x3e, 0x6c, 0xc9, 0x8f, 0x6c, 0x4e,
                                            0xa3, 0x27, 0xee, 0x69, 0x6e, 0x12, 0xf7, 0xc4};
    static void *table[] = {ALL(ADDRESS)};
    REQUIRE(found && id);
    if (memcmp(id, known, sizeof known) != 0)
        return NVML_ERROR_NOT_FOUND;
    table[0] = (void *)sizeof table;
    *found = table;
    return NVML_SUCCESS;
}
