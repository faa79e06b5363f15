/* The NVML double: a libnvidia-ml whose GPUs come from a scenario file.
 *
 * scenario.c reads the scenario into the structures below, gate.c lets a call in (or fails, delays, hangs it as the scenario says),
 * the other files answer one topic each, and what nobody answers is a stub generated from nvml.h. */
#ifndef GPU_FLEET_DOUBLE_H
#define GPU_FLEET_DOUBLE_H

#include <stdbool.h>
#include <stddef.h>

#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include <nvml.h>

#define MAX_GPUS 32
#define MAX_LINKS NVML_NVLINK_MAX_LINKS
#define MAX_PROCESSES 16
#define MAX_RULES 256
#define MAX_KERNEL_LINES 256
#define MAX_SWITCHES 8

/* A reading: a value, or the NVML error that reading it gives. */
struct reading {
    nvmlReturn_t status;
    unsigned long long number;
    const char *text;
};

enum kind { TEXT, NUMBER, SIGNED, MILLI, NAMED, MASK };

struct word {
    const char *name;
    unsigned long long number;
};

struct key {
    const char *name;
    enum kind kind;
    const struct word *words;
    const char *initial;
    bool fixed; /* never an error's name */
};

#define KEY(identifier, name, kind, words, initial) identifier,
#define FIXED KEY
enum gpu_key {
#include "gpu_keys.def"
    GPU_KEYS
};
enum link_key {
#include "link_keys.def"
    LINK_KEYS
};
#undef KEY
#undef FIXED

extern const struct key gpu_keys[GPU_KEYS];
extern const struct key link_keys[LINK_KEYS];

struct process {
    unsigned int pid;
    unsigned long long bytes;
    const char *name;
};

/* A GPU of the scenario; NVML's device handles point to these. */
struct nvmlDevice_st {
    unsigned int slot;  /* its number in the scenario */
    unsigned int index; /* its number on NVML: absent GPUs are not counted */
    struct reading readings[GPU_KEYS];
    struct reading links[MAX_LINKS][LINK_KEYS];
    struct process processes[MAX_PROCESSES];
    unsigned int process_count;
    unsigned long long calls;
};

/* A planted fault of calls: which functions, on which GPU, and what happens. */
struct rule {
    enum { FAIL, DELAY, HANG } effect;
    const char *pattern;
    int slot; /* -1: any call */
    unsigned long long argument;
};

struct scenario {
    const char *profile;
    const char *node;
    const char *driver_version; /* only where the scenario says one */
    unsigned int cuda_version;
    nvmlReturn_t init;
    bool follow_device_nodes;
    unsigned int slots;
    struct nvmlDevice_st gpus[MAX_GPUS];
    unsigned int visible;
    struct nvmlDevice_st *by_index[MAX_GPUS];
    unsigned int switch_count;
    const char *switches[MAX_SWITCHES];
    unsigned int switch_device_id;
    bool kernel_module;
    unsigned int kernel_line_count;
    const char *kernel_lines[MAX_KERNEL_LINES];
    unsigned int rule_count;
    struct rule rules[MAX_RULES];
};

extern struct scenario scenario;

/* scenario.c, gpus.c, values.c, suggest.c, system.c */
nvmlReturn_t scenario_load(void);
void start_gpu(struct nvmlDevice_st *gpu, unsigned int slot);
nvmlReturn_t scenario_enumerate(void);
bool value_parse(const struct key *key, const char *text, struct reading *out);
const char *key_expectation(const struct key *key, char *buffer, size_t size);
const char *nearest(const char *word, const char *(*candidate)(size_t index));
bool pattern_matches(const char *pattern, const char *name);
bool pattern_known(const char *pattern);
const char *library_version(void);
const char *driver_version(void);
unsigned int driver_branch(void);

extern const struct word error_words[], truth_words[], switch_words[], brand_words[], architecture_words[], recovery_words[],
    reason_words[], remote_words[], fabric_state_words[], compute_words[], lost_words[], link_state_words[];

/* Generated at build time: from nvml.h and from profiles/. */
extern const char *const function_names[];
struct profile {
    const char *name;
    const char *text;
};
extern const struct profile profiles[];

/* origin.c: where this library lies. */
const char *origin_path(void);
const char *origin_version(void);
const char *origin_trailer(void);

/* identity.c, topology.c, pcie.c, memory.c, nvlink.c: also used by others. */
nvmlDevice_t gpu_by_bus_id(const char *text);
nvmlGpuTopologyLevel_t common_ancestor(nvmlDevice_t left, nvmlDevice_t right);

struct pci_address {
    unsigned int domain, bus, device;
};
bool pci_parse(const char *text, struct pci_address *address);
nvmlReturn_t pci_fill(const char *bus_id, unsigned int device_id, unsigned int subsystem_id, nvmlPciInfo_t *pci);
nvmlReturn_t ecc_count(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter, nvmlMemoryLocation_t location,
                       unsigned long long *count);
nvmlReturn_t ecc_total(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter, unsigned long long *count);
nvmlReturn_t remapping_readable(nvmlDevice_t device);
nvmlReturn_t link_check(nvmlDevice_t device, unsigned int link);
unsigned int links_between(nvmlDevice_t left, nvmlDevice_t right);

/* gate.c: every call enters here. */
nvmlReturn_t enter_anytime(const char *function);
nvmlReturn_t enter_system(const char *function);
nvmlReturn_t enter_gpu(const char *function, nvmlDevice_t device);

#define ENTER_ANYTIME()                               \
    do {                                              \
        nvmlReturn_t gate_ = enter_anytime(__func__); \
        if (gate_ != NVML_SUCCESS)                    \
            return gate_;                             \
    } while (0)

#define ENTER_SYSTEM()                              \
    do {                                            \
        nvmlReturn_t gate_ = enter_system(__func__); \
        if (gate_ != NVML_SUCCESS)                  \
            return gate_;                           \
    } while (0)

#define ENTER_GPU(device)                                  \
    do {                                                   \
        nvmlReturn_t gate_ = enter_gpu(__func__, (device)); \
        if (gate_ != NVML_SUCCESS)                         \
            return gate_;                                  \
    } while (0)

#define REQUIRE(condition)                      \
    do {                                        \
        if (!(condition))                       \
            return NVML_ERROR_INVALID_ARGUMENT; \
    } while (0)

#define REQUIRE_VERSION(structure, expected)               \
    do {                                                   \
        REQUIRE(structure);                                \
        if ((structure)->version != (expected))            \
            return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;   \
    } while (0)

/* Functions younger than the driver that the library pretends to be are not in it. */
#define REQUIRE_DRIVER(branch)                   \
    do {                                         \
        if (driver_branch() < (branch))          \
            return NVML_ERROR_FUNCTION_NOT_FOUND; \
    } while (0)

/* Gives a reading's value to the caller, or its error. */
#define GIVE(from, target)                                    \
    do {                                                       \
        const struct reading *from_ = &(from);                 \
        if (from_->status != NVML_SUCCESS)                     \
            return from_->status;                              \
        *(target) = (__typeof__(*(target)))from_->number;      \
    } while (0)

nvmlReturn_t give_text(const char *text, char *buffer, unsigned int length);
nvmlReturn_t give_reading_text(const struct reading *reading, char *buffer, unsigned int length);

/* A function that gives one reading of one GPU. */
#define GETTER(function, type, key)                             \
    nvmlReturn_t function(nvmlDevice_t device, type *value)     \
    {                                                           \
        ENTER_GPU(device);                                      \
        REQUIRE(value);                                         \
        GIVE(device->readings[key], value);                     \
        return NVML_SUCCESS;                                    \
    }

#define TEXT_GETTER(function, key)                                                   \
    nvmlReturn_t function(nvmlDevice_t device, char *value, unsigned int length)     \
    {                                                                                \
        ENTER_GPU(device);                                                           \
        REQUIRE(value);                                                              \
        return give_reading_text(&device->readings[key], value, length);             \
    }

#define MIB (1024ULL * 1024ULL)

#endif
