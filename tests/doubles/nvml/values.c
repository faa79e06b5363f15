/* One value of the scenario: text to reading, and what was expected where that fails. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "double.h"

static const struct word *find_word(const struct word *words, const char *name, size_t length)
{
    for (; words->name; words++)
        if (strlen(words->name) == length && strncmp(words->name, name, length) == 0)
            return words;
    return NULL;
}

static bool parse_unsigned(const char *text, unsigned long long *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 0);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static bool parse_signed(const char *text, unsigned long long *number)
{
    unsigned long long magnitude;
    if (!parse_unsigned(text + (text[0] == '-'), &magnitude))
        return false;
    *number = text[0] == '-' ? 0 - magnitude : magnitude;
    return true;
}

static bool parse_milli(const char *text, unsigned long long *number)
{
    char *end;
    double value = strtod(text, &end);
    if (text[0] < '0' || text[0] > '9' || *end != '\0')
        return false;
    *number = (unsigned long long)(value * 1000 + 0.5);
    return true;
}

/* Words joined by '|', or a number. */
static bool parse_mask(const struct word *words, const char *text, unsigned long long *number)
{
    if (parse_unsigned(text, number))
        return true;
    *number = 0;
    for (;;) {
        size_t length = strcspn(text, " |");
        const struct word *word = find_word(words, text, length);
        if (!word)
            return false;
        *number |= word->number;
        text += length + strspn(text + length, " |");
        if (!*text)
            return true;
    }
}

bool value_parse(const struct key *key, const char *text, struct reading *out)
{
    *out = (struct reading){.status = NVML_SUCCESS, .text = text};
    if (!key->fixed) {
        const struct word *error = find_word(error_words, text, strlen(text));
        if (error && error->number != NVML_SUCCESS) {
            out->status = (nvmlReturn_t)error->number;
            return true;
        }
    }
    switch (key->kind) {
    case TEXT:
        return text[0] != '\0';
    case NUMBER:
        return parse_unsigned(text, &out->number);
    case SIGNED:
        return parse_signed(text, &out->number);
    case MILLI:
        return parse_milli(text, &out->number);
    case MASK:
        return parse_mask(key->words, text, &out->number);
    case NAMED: {
        const struct word *word = find_word(key->words, text, strlen(text));
        if (word)
            out->number = word->number;
        return word != NULL;
    }
    }
    return false;
}

const char *key_expectation(const struct key *key, char *buffer, size_t size)
{
    static const char *const kinds[] = {
        [TEXT] = "a text",        [NUMBER] = "a whole number (0x for hexadecimal)", [SIGNED] = "a whole number",
        [MILLI] = "a number",     [NAMED] = "one of:",                              [MASK] = "one or more, joined by '|', of:",
    };
    size_t used = (size_t)snprintf(buffer, size, "%s", kinds[key->kind]);
    for (const struct word *word = key->words; word && word->name && used < size; word++)
        used += (size_t)snprintf(buffer + used, size - used, " %s", word->name);
    if (used < size && !key->fixed)
        snprintf(buffer + used, size - used, ", or the name of an NVML error such as NOT_SUPPORTED");
    return buffer;
}

nvmlReturn_t give_text(const char *text, char *buffer, unsigned int length)
{
    if (strlen(text) >= length)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(buffer, text);
    return NVML_SUCCESS;
}

nvmlReturn_t give_reading_text(const struct reading *reading, char *buffer, unsigned int length)
{
    return reading->status != NVML_SUCCESS ? reading->status : give_text(reading->text, buffer, length);
}
