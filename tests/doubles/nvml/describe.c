/* gpuFleetDoubleDescribe: the scenario as JSON, for what else of a node has to agree with it (device nodes, PCI tree, kernel log). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "double.h"

struct out {
    char *text;
    size_t size, used;
};

static void put(struct out *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out->used < out->size ? out->text + out->used : NULL, out->used < out->size ? out->size - out->used : 0,
                           format, arguments);
    va_end(arguments);
    out->used += length > 0 ? (size_t)length : 0;
}

static void put_text(struct out *out, const char *text)
{
    put(out, "\"");
    for (; text && *text; text++) {
        if (*text == '"' || *text == '\\')
            put(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            put(out, "\\u%04x", (unsigned char)*text);
        else
            put(out, "%c", *text);
    }
    put(out, "\"");
}

static void put_reading(struct out *out, const struct key *key, const struct reading *reading)
{
    put_text(out, key->name);
    put(out, ": ");
    if (reading->status != NVML_SUCCESS)
        put(out, "null");
    else if (key->kind == TEXT)
        put_text(out, reading->text);
    else if (key->kind == SIGNED)
        put(out, "%lld", (long long)reading->number);
    else
        put(out, "%llu", reading->number);
}

static void put_texts(struct out *out, const char *name, const char *const *texts, unsigned int count)
{
    put(out, ", \"%s\": [", name);
    for (unsigned int index = 0; index < count; index++) {
        put(out, index ? ", " : "");
        put_text(out, texts[index]);
    }
    put(out, "]");
}

/* Returns the length of the whole text, as snprintf does, or minus the NVML error that the scenario's fault is. */
long gpuFleetDoubleDescribe(char *text, size_t size);

long gpuFleetDoubleDescribe(char *text, size_t size)
{
    struct out out = {text, size, 0};
    nvmlReturn_t result = scenario_load();
    if (result != NVML_SUCCESS)
        return -(long)result;
    scenario.follow_device_nodes = false;
    scenario_enumerate();
    put(&out, "{\"profile\": ");
    put_text(&out, scenario.profile);
    put(&out, ", \"driver_version\": ");
    put_text(&out, scenario.driver_version); /* empty: the installed library's */
    put(&out, ", \"kernel_module\": %s, \"switch_device_id\": %u", scenario.kernel_module ? "true" : "false",
        scenario.switch_device_id);
    put_texts(&out, "switches", scenario.switches, scenario.switch_count);
    put_texts(&out, "kernel_log", scenario.kernel_lines, scenario.kernel_line_count);
    put(&out, ", \"gpus\": [");
    for (unsigned int slot = 0; slot < scenario.slots; slot++) {
        put(&out, slot ? ", {" : "{");
        for (size_t key = 0; key < GPU_KEYS; key++) {
            put(&out, key ? ", " : "");
            put_reading(&out, &gpu_keys[key], &scenario.gpus[slot].readings[key]);
        }
        put(&out, "}");
    }
    put(&out, "]}\n");
    return (long)out.used;
}
