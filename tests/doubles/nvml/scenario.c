/* The scenario: lines of "key = value", first those of the profile, then those of the file, a later line winning. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lines.h"

#define DEFAULT_FILE "/etc/gpu-fleet-double/scenario.conf"
#define DEFAULT_PROFILE "h100-sxm"

struct scenario scenario;
bool scenario_failed;

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    for (char *end = text + strlen(text); end > text && isspace((unsigned char)end[-1]);)
        *--end = '\0';
    return text;
}

void complain(const struct entry *entry, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "gpu-fleet double: %s:%u: found '%s = %s', expected ", entry->source, entry->line, entry->key, entry->value);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    scenario_failed = true;
}

const char *skip(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

bool parse_entry_value(const struct entry *entry, const struct key *key, struct reading *reading)
{
    char buffer[1024];
    if (value_parse(key, entry->value, reading))
        return true;
    complain(entry, "%s", key_expectation(key, buffer, sizeof buffer));
    return false;
}

/* ---- reading the lines: they live as long as the process, for the readings point into them ---- */

struct entries {
    struct entry *items;
    size_t count;
};

static void append(struct entries *entries, const struct entry *entry)
{
    entries->items = realloc(entries->items, (entries->count + 1) * sizeof *entries->items);
    entries->items[entries->count++] = *entry;
}

static void read_lines(struct entries *entries, const char *text, const char *source, bool from_profile)
{
    unsigned int number = 0;
    char *copy = strdup(text), *rest = copy;
    for (char *line; !scenario_failed && (line = strsep(&rest, "\n"));) {
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
        append(entries, &entry);
    }
}

static const struct entry *last_entry(const struct entries *entries, const char *key)
{
    for (size_t index = entries->count; index > 0; index--)
        if (strcmp(entries->items[index - 1].key, key) == 0)
            return &entries->items[index - 1];
    return NULL;
}

static const struct profile *find_profile(const char *name)
{
    for (const struct profile *profile = profiles; profile->name; profile++)
        if (strcmp(profile->name, name) == 0)
            return profile;
    return NULL;
}

static void complain_of_profile(const struct entry *entry)
{
    char list[512];
    size_t used = 0;
    for (const struct profile *profile = profiles; profile->name && used < sizeof list; profile++)
        used += (size_t)snprintf(list + used, sizeof list - used, " %s", profile->name);
    complain(entry, "a profile:%s", list);
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
static const char *find_text(const char **source)
{
    const char *text;
    if ((*source = getenv("GPU_FLEET_DOUBLE_SCENARIO"))) {
        if (!(text = read_file(*source)))
            fprintf(stderr, "gpu-fleet double: found no file %s, expected the scenario that GPU_FLEET_DOUBLE_SCENARIO names\n", *source);
        return text;
    }
    *source = DEFAULT_FILE;
    if ((text = read_file(DEFAULT_FILE)))
        return text;
    *source = "appended to the library";
    if ((text = origin_trailer()))
        return text;
    *source = "built in";
    return "";
}

/* The lines of the profile, which the scenario names, and then its own. */
static void read_entries(struct entries *entries, const char *text, const char *source)
{
    struct entries own = {0};
    read_lines(&own, text, source, false);
    const struct entry *named = last_entry(&own, "profile");
    scenario.profile = named ? named->value : DEFAULT_PROFILE;
    const struct profile *profile = find_profile(scenario.profile);
    if (profile)
        read_lines(entries, profile->text, profile->name, true);
    else
        complain_of_profile(named);
    for (size_t index = 0; index < own.count; index++)
        append(entries, &own.items[index]);
    free(own.items);
}

static void apply(const struct entry *entry)
{
    const char *gpu = skip(entry->key, "gpu.");
    if (gpu)
        apply_gpu_lines(entry, gpu);
    else if (is_rule(entry->key))
        add_rule(entry, entry->key, -1);
    else
        apply_node_line(entry);
}

static void start(void)
{
    static char host[64];
    memset(&scenario, 0, sizeof scenario);
    gethostname(host, sizeof host - 1);
    scenario.node = host;
    scenario.slots = 8;
    scenario.switch_device_id = 0x22a3;
    scenario.kernel_module = true;
    scenario.follow_device_nodes = !getenv("GPU_FLEET_DOUBLE_SCENARIO");
    scenario_failed = false;
}

nvmlReturn_t scenario_load(void)
{
    struct entries entries = {0};
    const char *source, *text = find_text(&source);
    if (!text)
        return NVML_ERROR_INVALID_ARGUMENT;
    start();
    read_entries(&entries, text, source);
    const struct entry *size = last_entry(&entries, "gpus");
    if (size)
        apply_number(size, 0, MAX_GPUS, &scenario.slots);
    for (unsigned int slot = 0; slot < scenario.slots; slot++)
        start_gpu(&scenario.gpus[slot], slot);
    for (size_t index = 0; index < entries.count && !scenario_failed; index++)
        apply(&entries.items[index]);
    free(entries.items);
    return scenario_failed ? NVML_ERROR_INVALID_ARGUMENT : NVML_SUCCESS;
}
