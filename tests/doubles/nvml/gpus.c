/* Which of the scenario's GPUs NVML shows, and what follows from a GPU's node and place where no line says it. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "double.h"

void start_gpu(struct nvmlDevice_st *gpu, unsigned int slot)
{
    gpu->slot = slot;
    for (size_t key = 0; key < GPU_KEYS; key++)
        if (gpu_keys[key].initial)
            value_parse(&gpu_keys[key], gpu_keys[key].initial, &gpu->readings[key]);
    for (size_t link = 0; link < MAX_LINKS; link++)
        for (size_t key = 0; key < LINK_KEYS; key++)
            if (link_keys[key].initial)
                value_parse(&link_keys[key], link_keys[key].initial, &gpu->links[link][key]);
}

/* FNV-1a: the same node and place always give the same identity. */
static unsigned long long identity(const char *node, unsigned int slot)
{
    unsigned long long hash = 0xcbf29ce484222325ULL;
    for (const char *at = node; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3ULL;
    for (int round = 0; round < 8; round++)
        hash = (hash ^ (slot + 1)) * 0x100000001b3ULL;
    return hash;
}

static void set_default(struct reading *reading, const char *text, unsigned long long number)
{
    if (!reading->text)
        *reading = (struct reading){NVML_SUCCESS, number, strdup(text)};
}

static void complete_gpu(struct nvmlDevice_st *gpu)
{
    unsigned long long id = identity(scenario.node, gpu->slot);
    struct reading *readings = gpu->readings;
    char text[64];
    snprintf(text, sizeof text, "GPU-%08x-%04x-%04x-%04x-%012llx", (unsigned int)(id >> 32), (unsigned int)(id >> 16) & 0xffff,
             0x5100 | gpu->slot, (unsigned int)id & 0xffff, (id * 0x9e3779b97f4a7c15ULL) >> 16);
    set_default(&readings[UUID], text, 0);
    snprintf(text, sizeof text, "SIM%010llu", id % 10000000000ULL);
    set_default(&readings[SERIAL], text, 0);
    snprintf(text, sizeof text, "00000000:%02x:00.0", 0x10 + 8 * gpu->slot);
    set_default(&readings[PCI_BUS_ID], text, 0);
    set_default(&readings[MODULE_ID], "", gpu->slot + 1);
    set_default(&readings[MINOR], "", gpu->index);
    set_default(&readings[TEMPERATURE_MARGIN], "", readings[TEMPERATURE_GPU_MAX].number - readings[TEMPERATURE].number);
}

/* Links lead to the switches in turn, or to the neighbour that a bridge connects. */
static void complete_links(struct nvmlDevice_st *gpu)
{
    unsigned int neighbour = gpu->slot ^ 1;
    for (unsigned int link = 0; link < MAX_LINKS; link++) {
        const char *remote = "00000000:ff:00.0"; /* as NVML gives it where nothing answers */
        if (gpu->readings[NVLINK_REMOTE].number == NVML_NVLINK_DEVICE_TYPE_SWITCH && scenario.switch_count)
            remote = scenario.switches[link % scenario.switch_count];
        else if (gpu->readings[NVLINK_REMOTE].number == NVML_NVLINK_DEVICE_TYPE_GPU && neighbour < scenario.slots)
            remote = scenario.gpus[neighbour].readings[PCI_BUS_ID].text;
        set_default(&gpu->links[link][LINK_REMOTE_BUS_ID], remote, 0);
    }
}

static bool is_nvidia_node(const char *path, unsigned long long number)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISCHR(status.st_mode) && major(status.st_rdev) == 195 && minor(status.st_rdev) == number;
}

/* Which GPUs NVML shows. Their device nodes are looked for as the real library does, so a container sees those it was given. */
nvmlReturn_t scenario_enumerate(void)
{
    char path[64];
    unsigned int present = 0;
    scenario.visible = 0;
    if (scenario.follow_device_nodes && !is_nvidia_node("/dev/nvidiactl", 255))
        return NVML_ERROR_DRIVER_NOT_LOADED;
    for (unsigned int slot = 0; slot < scenario.slots; slot++) {
        struct nvmlDevice_st *gpu = &scenario.gpus[slot];
        gpu->index = present;
        complete_gpu(gpu);
        if (gpu->readings[ABSENT].number)
            continue;
        present++;
        snprintf(path, sizeof path, "/dev/nvidia%llu", gpu->readings[MINOR].number);
        if (!scenario.follow_device_nodes || is_nvidia_node(path, gpu->readings[MINOR].number))
            scenario.by_index[scenario.visible++] = gpu;
    }
    for (unsigned int slot = 0; slot < scenario.slots; slot++)
        complete_links(&scenario.gpus[slot]);
    for (unsigned int index = 0; index < scenario.visible; index++)
        scenario.by_index[index]->index = index;
    return NVML_SUCCESS;
}
