/* Lines about the node as a whole. */
#include <stdio.h>
#include <string.h>

#include "lines.h"

void apply_number(const struct entry *entry, unsigned int minimum, unsigned int maximum, unsigned int *target)
{
    static const struct key number = {.kind = NUMBER, .fixed = true};
    struct reading reading;
    if (value_parse(&number, entry->value, &reading) && reading.number >= minimum && reading.number <= maximum)
        *target = (unsigned int)reading.number;
    else
        complain(entry, "a number from %u to %u", minimum, maximum);
}

static void apply_switches(const struct entry *entry)
{
    char *list = strdup(entry->value), *rest = list;
    scenario.switch_count = 0;
    if (strcmp(list, "none") == 0)
        return;
    for (char *name; (name = strtok_r(rest, " ,", &rest));) {
        if (scenario.switch_count == MAX_SWITCHES) {
            complain(entry, "at most %d NVSwitches", MAX_SWITCHES);
            return;
        }
        scenario.switches[scenario.switch_count++] = name;
    }
}

static void read_before(const struct entry *entry)
{
    (void)entry;
}

static void apply_node(const struct entry *entry)
{
    scenario.node = entry->value;
}

static void apply_driver_version(const struct entry *entry)
{
    unsigned int major, minor;
    if (sscanf(entry->value, "%u.%u", &major, &minor) == 2)
        scenario.driver_version = entry->value;
    else
        complain(entry, "a version such as 535.309.01");
}

static void apply_cuda_version(const struct entry *entry)
{
    unsigned int major, minor;
    if (sscanf(entry->value, "%u.%u", &major, &minor) == 2)
        scenario.cuda_version = major * 1000 + minor * 10;
    else
        complain(entry, "a version such as 12.2");
}

static void apply_init(const struct entry *entry)
{
    static const struct key init = {.kind = NAMED, .words = error_words, .fixed = true};
    struct reading reading;
    if (parse_entry_value(entry, &init, &reading))
        scenario.init = (nvmlReturn_t)reading.number;
}

static void apply_device_nodes(const struct entry *entry)
{
    scenario.follow_device_nodes = strcmp(entry->value, "follow") == 0;
    if (!scenario.follow_device_nodes && strcmp(entry->value, "ignore") != 0)
        complain(entry, "follow or ignore");
}

static void apply_switch_device_id(const struct entry *entry)
{
    apply_number(entry, 1, 0xffff, &scenario.switch_device_id);
}

static void apply_kernel_module(const struct entry *entry)
{
    static const struct key truth = {.kind = NAMED, .words = truth_words, .fixed = true};
    struct reading reading;
    if (parse_entry_value(entry, &truth, &reading))
        scenario.kernel_module = reading.number != 0;
}

static void apply_kernel_log(const struct entry *entry)
{
    if (scenario.kernel_line_count == MAX_KERNEL_LINES)
        complain(entry, "at most %d lines", MAX_KERNEL_LINES);
    else
        scenario.kernel_lines[scenario.kernel_line_count++] = entry->value;
}

static const struct node_key {
    const char *name;
    void (*apply)(const struct entry *entry);
} node_keys[] = {
    {"profile", read_before},
    {"gpus", read_before},
    {"node", apply_node},
    {"driver_version", apply_driver_version},
    {"cuda_version", apply_cuda_version},
    {"init", apply_init},
    {"device_nodes", apply_device_nodes},
    {"switches", apply_switches},
    {"switch_device_id", apply_switch_device_id},
    {"kernel_module", apply_kernel_module},
    {"kernel_log", apply_kernel_log},
    {0},
};

static const char *node_key_name(size_t index)
{
    return node_keys[index].name;
}

void apply_node_line(const struct entry *entry)
{
    for (const struct node_key *key = node_keys; key->name; key++)
        if (strcmp(key->name, entry->key) == 0) {
            key->apply(entry);
            return;
        }
    complain(entry, "a key of the scenario (did you mean '%s'?)", nearest(entry->key, node_key_name));
}
