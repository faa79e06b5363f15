/* The scenario: lines of "key = value", first those of the profile, then those of the file, a later line winning. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "double.h"

#define DEFAULT_FILE "/etc/gpu-fleet-double/scenario.conf"
#define DEFAULT_PROFILE "h100-sxm"

struct scenario scenario;

/* One line, as it is being read. */
struct entry {
    const char *source;
    unsigned int line;
    bool from_profile;
    char *key;
    char *value;
};

static bool failed;

static void complain(const struct entry *entry, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "gpu-fleet double: %s:%u: found '%s = %s', expected ", entry->source, entry->line, entry->key, entry->value);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    failed = true;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    for (char *end = text + strlen(text); end > text && isspace((unsigned char)end[-1]);)
        *--end = '\0';
    return text;
}

static const char *skip(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* ---- where a line goes ---- */

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

static const char *function_name(size_t index)
{
    return function_names[index];
}

static const struct key *find_key(const struct key *keys, size_t count, const char *name)
{
    for (size_t index = 0; index < count; index++)
        if (strcmp(keys[index].name, name) == 0)
            return &keys[index];
    return NULL;
}

static bool parse_entry_value(const struct entry *entry, const struct key *key, struct reading *reading)
{
    char buffer[1024];
    if (value_parse(key, entry->value, reading))
        return true;
    complain(entry, "%s", key_expectation(key, buffer, sizeof buffer));
    return false;
}

static void add_rule(const struct entry *entry, const char *path, int slot)
{
    static const struct key fail = {"fail", NAMED, error_words, NULL}, delay = {"delay_ms", NUMBER, NULL, NULL},
                            hang = {"hang", NAMED, truth_words, NULL};
    struct rule rule = {.slot = slot};
    struct reading reading;
    const struct key *key;
    if ((rule.pattern = skip(path, "fail.")))
        rule.effect = FAIL, key = &fail;
    else if ((rule.pattern = skip(path, "delay_ms.")))
        rule.effect = DELAY, key = &delay;
    else if ((rule.pattern = skip(path, "hang.")))
        rule.effect = HANG, key = &hang;
    else
        return;
    if (!pattern_known(rule.pattern))
        complain(entry, "the name of an NVML function, '*' allowed (did you mean '%s'?)", nearest(rule.pattern, function_name));
    else if (scenario.rule_count == MAX_RULES)
        complain(entry, "at most %d faults of calls", MAX_RULES);
    else if (parse_entry_value(entry, key, &reading)) {
        rule.argument = reading.number;
        scenario.rules[scenario.rule_count++] = rule;
    }
}

static bool is_rule(const char *path)
{
    return skip(path, "fail.") || skip(path, "delay_ms.") || skip(path, "hang.");
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

static void apply_gpu_lines(const struct entry *entry, const char *path)
{
    unsigned int first, last;
    if (!take_index(&path, scenario.slots, &first, &last)) {
        /* A profile names more places than a scenario with fewer GPUs uses. */
        if (!entry->from_profile)
            complain(entry, "gpu.<0 to %u, or *>.<key>: the scenario has %u GPUs", scenario.slots - 1, scenario.slots);
        return;
    }
    for (unsigned int slot = first; slot <= last && !failed; slot++)
        apply_gpu_line(entry, &scenario.gpus[slot], path);
}

/* ---- lines about the whole node ---- */

static const char *const node_keys[] = {
    "profile", "gpus", "node", "driver_version", "cuda_version", "init", "device_nodes",
    "switches", "switch_device_id", "kernel_module", "kernel_log", NULL,
};

static const char *node_key_name(size_t index)
{
    return node_keys[index];
}

static void apply_number(const struct entry *entry, unsigned int minimum, unsigned int maximum, unsigned int *target)
{
    static const struct key number = {"", NUMBER, NULL, NULL};
    struct reading reading;
    if (value_parse(&number, entry->value, &reading) && reading.status == NVML_SUCCESS && reading.number >= minimum &&
        reading.number <= maximum)
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

static void apply_node_line(const struct entry *entry)
{
    static const struct key init = {"", NAMED, error_words, NULL}, truth = {"", NAMED, truth_words, NULL};
    const char *key = entry->key;
    unsigned int major, minor;
    struct reading reading;
    if (strcmp(key, "profile") == 0 || strcmp(key, "gpus") == 0)
        return; /* read before */
    if (strcmp(key, "node") == 0)
        scenario.node = entry->value;
    else if (strcmp(key, "driver_version") == 0) {
        if (sscanf(entry->value, "%u.%u", &major, &minor) == 2)
            scenario.driver_version = entry->value;
        else
            complain(entry, "a version such as 535.309.01");
    } else if (strcmp(key, "cuda_version") == 0) {
        if (sscanf(entry->value, "%u.%u", &major, &minor) == 2)
            scenario.cuda_version = major * 1000 + minor * 10;
        else
            complain(entry, "a version such as 12.2");
    } else if (strcmp(key, "init") == 0) {
        if (parse_entry_value(entry, &init, &reading))
            scenario.init = (nvmlReturn_t)reading.number;
    } else if (strcmp(key, "device_nodes") == 0) {
        scenario.follow_device_nodes = strcmp(entry->value, "follow") == 0;
        if (!scenario.follow_device_nodes && strcmp(entry->value, "ignore") != 0)
            complain(entry, "follow or ignore");
    } else if (strcmp(key, "kernel_module") == 0) {
        if (parse_entry_value(entry, &truth, &reading))
            scenario.kernel_module = reading.number != 0;
    } else if (strcmp(key, "switches") == 0)
        apply_switches(entry);
    else if (strcmp(key, "switch_device_id") == 0)
        apply_number(entry, 1, 0xffff, &scenario.switch_device_id);
    else if (strcmp(key, "kernel_log") == 0) {
        if (scenario.kernel_line_count == MAX_KERNEL_LINES)
            complain(entry, "at most %d lines", MAX_KERNEL_LINES);
        else
            scenario.kernel_lines[scenario.kernel_line_count++] = entry->value;
    } else
        complain(entry, "a key of the scenario (did you mean '%s'?)", nearest(key, node_key_name));
}

/* ---- reading the lines ---- */

struct entries {
    struct entry *items;
    size_t count;
};

static void read_lines(struct entries *entries, const char *text, const char *source, bool from_profile)
{
    unsigned int number = 0;
    char *copy = strdup(text), *rest = copy;
    for (char *line; !failed && (line = strsep(&rest, "\n"));) {
        struct entry entry = {.source = source, .line = ++number, .from_profile = from_profile};
        line = trim(line);
        if (!*line || *line == '#')
            continue;
        char *equals = strchr(line, '=');
        if (!equals) {
            entry.key = line;
            entry.value = "";
            complain(&entry, "a line of the form: key = value");
            return;
        }
        *equals = '\0';
        entry.key = trim(line);
        entry.value = trim(equals + 1);
        entries->items = realloc(entries->items, (entries->count + 1) * sizeof *entries->items);
        entries->items[entries->count++] = entry;
    }
}

static const struct entry *last_entry(const struct entries *entries, const char *key)
{
    for (size_t index = entries->count; index > 0; index--)
        if (strcmp(entries->items[index - 1].key, key) == 0)
            return &entries->items[index - 1];
    return NULL;
}

static const char *profile_list(char *buffer, size_t size)
{
    size_t used = 0;
    for (const struct profile *profile = profiles; profile->name && used < size; profile++)
        used += (size_t)snprintf(buffer + used, size - used, " %s", profile->name);
    return buffer;
}

static const struct profile *find_profile(const char *name)
{
    for (const struct profile *profile = profiles; profile->name; profile++)
        if (strcmp(profile->name, name) == 0)
            return profile;
    return NULL;
}

/* ---- what follows from the node and the place of a GPU ---- */

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

static void start_gpu(struct nvmlDevice_st *gpu, unsigned int slot)
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

static bool is_nvidia_node(const char *path, unsigned int number)
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
        if (gpu->readings[ABSENT].number)
            continue;
        gpu->index = present++;
        unsigned int minor_number = gpu->readings[MINOR].text ? (unsigned int)gpu->readings[MINOR].number : gpu->index;
        snprintf(path, sizeof path, "/dev/nvidia%u", minor_number);
        if (scenario.follow_device_nodes && !is_nvidia_node(path, minor_number))
            continue;
        scenario.by_index[scenario.visible] = gpu;
        scenario.visible++;
    }
    for (unsigned int slot = 0; slot < scenario.slots; slot++)
        complete_gpu(&scenario.gpus[slot]);
    for (unsigned int slot = 0; slot < scenario.slots; slot++)
        complete_links(&scenario.gpus[slot]);
    for (unsigned int index = 0; index < scenario.visible; index++)
        scenario.by_index[index]->index = index;
    return NVML_SUCCESS;
}

/* ---- the whole ---- */

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    char *text = NULL;
    size_t size = 0;
    if (getdelim(&text, &size, '\0', file) < 0)
        text = strdup("");
    fclose(file);
    return text;
}

/* The scenario's text: the file that the environment names, the node's file, what was appended to the library, or nothing. */
const char *scenario_text(const char **source)
{
    const char *text;
    if ((*source = getenv("GPU_FLEET_DOUBLE_SCENARIO")))
        return read_file(*source);
    *source = DEFAULT_FILE;
    if ((text = read_file(DEFAULT_FILE)))
        return text;
    *source = "appended to the library";
    if ((text = origin_trailer()))
        return text;
    *source = "built in";
    return "";
}

static void read_size(const struct entries *entries)
{
    const struct entry *gpus = last_entry(entries, "gpus");
    scenario.slots = 8;
    if (gpus)
        apply_number(gpus, 0, MAX_GPUS, &scenario.slots);
}

nvmlReturn_t scenario_load(void)
{
    static char host[64];
    struct entries own = {0}, all = {0};
    failed = false;
    memset(&scenario, 0, sizeof scenario);
    gethostname(host, sizeof host - 1);
    scenario.node = host;
    scenario.switch_device_id = 0x22a3;
    scenario.kernel_module = true;
    scenario.follow_device_nodes = !getenv("GPU_FLEET_DOUBLE_SCENARIO");

    const char *text = scenario_text(&scenario.source);
    if (!text) {
        fprintf(stderr, "gpu-fleet double: found no file %s, expected the scenario that GPU_FLEET_DOUBLE_SCENARIO names\n",
                scenario.source);
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    read_lines(&own, text, scenario.source, false);
    const struct entry *named = last_entry(&own, "profile");
    scenario.profile = named ? named->value : DEFAULT_PROFILE;
    const struct profile *profile = find_profile(scenario.profile);
    if (!profile) {
        char list[512];
        complain(named, "a profile:%s", profile_list(list, sizeof list));
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    read_lines(&all, profile->text, profile->name, true);
    for (size_t index = 0; index < own.count; index++) {
        all.items = realloc(all.items, (all.count + 1) * sizeof *all.items);
        all.items[all.count++] = own.items[index];
    }
    read_size(&all);
    for (unsigned int slot = 0; slot < scenario.slots; slot++)
        start_gpu(&scenario.gpus[slot], slot);
    for (size_t index = 0; index < all.count && !failed; index++) {
        const struct entry *entry = &all.items[index];
        const char *gpu = skip(entry->key, "gpu.");
        if (gpu)
            apply_gpu_lines(entry, gpu);
        else if (is_rule(entry->key))
            add_rule(entry, entry->key, -1);
        else
            apply_node_line(entry);
    }
    free(own.items);
    free(all.items);
    return failed ? NVML_ERROR_INVALID_ARGUMENT : NVML_SUCCESS;
}
