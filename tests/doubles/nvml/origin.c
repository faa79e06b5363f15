/* Where this library lies: its file name carries the driver's version, and a scenario may be appended to the file.
 *
 * The appended scenario is how a container that gets only the library file (and device nodes) sees its node's GPUs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "double.h"

#define TRAILER_MARK "\n#!gpu-fleet-double-scenario\n"

const char *origin_path(void)
{
    static char path[PATH_MAX];
    Dl_info info;
    if (!path[0] && dladdr((void *)origin_path, &info) && info.dli_fname && !realpath(info.dli_fname, path))
        snprintf(path, sizeof path, "%s", info.dli_fname);
    return path;
}

const char *origin_version(void)
{
    const char *name = strrchr(origin_path(), '/');
    const char *version = strstr(name ? name : origin_path(), ".so.");
    return version && strchr(version + 4, '.') ? version + 4 : NULL;
}

const char *origin_trailer(void)
{
    static const char mark[] = TRAILER_MARK;
    FILE *file = fopen(origin_path(), "rb");
    if (!file)
        return NULL;
    char *found = NULL, *text = NULL;
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (size > 0 && fseek(file, 0, SEEK_SET) == 0 && (text = malloc((size_t)size + 1))) {
        size_t got = fread(text, 1, (size_t)size, file);
        text[got] = '\0';
        /* The mark is also a constant of this very file: only one after the last section counts, which the newest is. */
        for (char *at = text; (at = memmem(at, got - (size_t)(at - text), mark, sizeof mark - 1)); at++)
            found = at[sizeof mark - 1] ? at + sizeof mark - 1 : found;
        found = found ? strdup(found) : NULL;
    }
    free(text);
    fclose(file);
    return found;
}
