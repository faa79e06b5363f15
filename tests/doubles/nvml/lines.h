/* Lines of a scenario, from text to what they change. */
#ifndef GPU_FLEET_DOUBLE_LINES_H
#define GPU_FLEET_DOUBLE_LINES_H

#include "double.h"

struct entry {
    const char *source;
    unsigned int line;
    bool from_profile;
    char *key;
    char *value;
};

extern bool scenario_failed;

/* Tells what is wrong with a line: the format goes on after "expected". */
void complain(const struct entry *entry, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *skip(const char *text, const char *prefix);
bool parse_entry_value(const struct entry *entry, const struct key *key, struct reading *reading);

/* node_lines.c */
void apply_node_line(const struct entry *entry);
void apply_number(const struct entry *entry, unsigned int minimum, unsigned int maximum, unsigned int *target);

/* gpu_lines.c: the path is the key without its "gpu." */
void apply_gpu_lines(const struct entry *entry, const char *path);

/* call_lines.c: fail., delay_ms. and hang. on the GPU of a slot, or on any (-1) */
bool is_rule(const char *path);
void add_rule(const struct entry *entry, const char *path, int slot);

#endif
