/* Lines about GPUs: gpu.<number or *>.<key>, gpu.<number or *>.nvlink.<number or *>.<key>. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"

/* Reads "3." or "*." at *path; both ends of the numbers meant come back. */
static bool take_index(const char **path, unsigned int limit, unsigned int *first, unsigned int *last)
{
    const char *at = *path;
    char *end;
    if (*at == '*') {
        *first = 0;
        *last = limit - 1;
        end = (char *)at + 1;
    } else {
        *first = *last = isdigit((unsigned char)*at) ? (unsigned int)strtoul(at, &end, 10) : limit;
        if (*first >= limit)
            return false;
    }
    *path = end + 1;
    return *end == '.' && limit > 0;
}

static const char *gpu_key_name(size_t index)
{
    return index < GPU_KEYS ? gpu_keys[index].name : NULL;
}

static const char *link_key_name(size_t index)
{
    return index < LINK_KEYS ? link_keys[index].name : NULL;
}

static const struct key *find_key(const struct key *keys, size_t count, const char *name)
{
    for (size_t index = 0; index < count; index++)
        if (strcmp(keys[index].name, name) == 0)
            return &keys[index];
    return NULL;
}

static void add_process(const struct entry *entry, struct nvmlDevice_st *gpu)
{
    unsigned int pid, mib;
    char name[64];
    if (sscanf(entry->value, "%u , %u , %63s", &pid, &mib, name) != 3)
        complain(entry, "PID, MiB, NAME");
    else if (gpu->process_count == MAX_PROCESSES)
        complain(entry, "at most %d processes of a GPU", MAX_PROCESSES);
    else
        gpu->processes[gpu->process_count++] = (struct process){pid, mib * MIB, strdup(name)};
}

static void apply_link_line(const struct entry *entry, struct nvmlDevice_st *gpu, const char *path)
{
    unsigned int first, last;
    if (!take_index(&path, MAX_LINKS, &first, &last)) {
        complain(entry, "gpu.<number or *>.nvlink.<0 to %d, or *>.<name>", MAX_LINKS - 1);
        return;
    }
    const struct key *key = find_key(link_keys, LINK_KEYS, path);
    if (!key) {
        complain(entry, "a key of an NVLink (did you mean '%s'?)", nearest(path, link_key_name));
        return;
    }
    struct reading reading;
    if (parse_entry_value(entry, key, &reading))
        for (unsigned int link = first; link <= last; link++)
            gpu->links[link][key - link_keys] = reading;
}

static void apply_gpu_line(const struct entry *entry, struct nvmlDevice_st *gpu, const char *path)
{
    const struct key *key = find_key(gpu_keys, GPU_KEYS, path);
    const char *link = skip(path, "nvlink.");
    if (is_rule(path))
        add_rule(entry, path, (int)gpu->slot);
    else if (strcmp(path, "process") == 0)
        add_process(entry, gpu);
    else if (!key && link && (isdigit((unsigned char)*link) || *link == '*'))
        apply_link_line(entry, gpu, link);
    else if (!key)
        complain(entry, "a key of a GPU (did you mean '%s'?)", nearest(path, gpu_key_name));
    else
        parse_entry_value(entry, key, &gpu->readings[key - gpu_keys]);
}

void apply_gpu_lines(const struct entry *entry, const char *path)
{
    unsigned int first, last;
    if (!take_index(&path, scenario.slots, &first, &last)) {
        /* A profile names more places than a scenario with fewer GPUs uses. */
        if (!entry->from_profile)
            complain(entry, "gpu.<number or *>.<key>, counted from 0: the scenario has %u GPUs", scenario.slots);
        return;
    }
    for (unsigned int slot = first; slot <= last && !scenario_failed; slot++)
        apply_gpu_line(entry, &scenario.gpus[slot], path);
}
