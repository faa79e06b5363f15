/* Names of functions as patterns, and the word that a mistyped one probably meant. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "double.h"

/* A pattern also matches the name without its version: nvmlDeviceGetCount matches nvmlDeviceGetCount_v2. */
bool pattern_matches(const char *pattern, const char *name)
{
    if (fnmatch(pattern, name, 0) == 0)
        return true;
    const char *version = strrchr(name, '_');
    char plain[128];
    if (!version || version[1] != 'v' || (size_t)(version - name) >= sizeof plain)
        return false;
    memcpy(plain, name, (size_t)(version - name));
    plain[version - name] = '\0';
    return fnmatch(pattern, plain, 0) == 0;
}

bool pattern_known(const char *pattern)
{
    for (const char *const *name = function_names; *name; name++)
        if (pattern_matches(pattern, *name))
            return true;
    return false;
}

/* Levenshtein's distance. */
static size_t distance(const char *left, const char *right)
{
    size_t columns = strlen(right), row[128];
    if (columns >= sizeof row / sizeof *row)
        return columns;
    for (size_t column = 0; column <= columns; column++)
        row[column] = column;
    for (size_t line = 1; left[line - 1]; line++) {
        size_t diagonal = row[0];
        row[0] = line;
        for (size_t column = 1; column <= columns; column++) {
            size_t best = diagonal + (left[line - 1] != right[column - 1]);
            diagonal = row[column];
            if (row[column] + 1 < best)
                best = row[column] + 1;
            if (row[column - 1] + 1 < best)
                best = row[column - 1] + 1;
            row[column] = best;
        }
    }
    return row[columns];
}

const char *nearest(const char *word, const char *(*candidate)(size_t index))
{
    const char *best = NULL, *name;
    size_t best_distance = (size_t)-1;
    for (size_t index = 0; (name = candidate(index)); index++) {
        size_t found = distance(word, name);
        if (found < best_distance) {
            best = name;
            best_distance = found;
        }
    }
    return best;
}
