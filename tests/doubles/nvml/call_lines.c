/* Lines that plant faults on calls: fail.<functions>, delay_ms.<functions>, hang.<functions>. */
#include "lines.h"

static const char *function_name(size_t index)
{
    return function_names[index];
}

bool is_rule(const char *path)
{
    return skip(path, "fail.") || skip(path, "delay_ms.") || skip(path, "hang.");
}

void add_rule(const struct entry *entry, const char *path, int slot)
{
    static const struct key fail = {.kind = NAMED, .words = error_words, .fixed = true}, delay = {.kind = NUMBER, .fixed = true},
                            hang = {.kind = NAMED, .words = truth_words, .fixed = true};
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
