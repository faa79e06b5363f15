# From nvml.h: a stub for every function (weak: the answers in this folder win), their names, and the names of the errors.
BEGIN {
    print "/* Generated from nvml.h: do not edit. */"
    print "#include <stddef.h>"
    print "struct nvmlDevice_st;"
    print "struct word { const char *name; unsigned long long number; };"
    print "int stub_system(const char *function);"
    print "int stub_gpu(const char *function, struct nvmlDevice_st *device);"
}
match($0, /DECLDIR +nvml[A-Za-z0-9_]+ *\(/) && !/^ *\*/ {
    declaration = substr($0, RSTART + 8)
    name = declaration
    sub(/^ */, "", name)
    sub(/ *\(.*/, "", name)
    if (name in seen)
        next
    seen[name] = 1
    names[++count] = name
    if (declaration ~ /\( *nvmlDevice_t /)
        printf "__attribute__((weak)) int %s(struct nvmlDevice_st *device) { return stub_gpu(\"%s\", device); }\n", name, name
    else
        printf "__attribute__((weak)) int %s(void) { return stub_system(\"%s\"); }\n", name, name
}
/^ *NVML_SUCCESS *= *0 *,/ { errors[++error_count] = "SUCCESS"; numbers[error_count] = 0 }
match($0, /^ *NVML_ERROR_[A-Z_]+ *= *[0-9]+/) {
    split(substr($0, RSTART, RLENGTH), parts, "=")
    gsub(/ |NVML_ERROR_/, "", parts[1])
    errors[++error_count] = parts[1]
    numbers[error_count] = parts[2] + 0
}
END {
    print "const char *const function_names[] = {"
    for (i = 1; i <= count; i++)
        printf "    \"%s\",\n", names[i]
    print "    NULL,\n};"
    print "const struct word error_words[] = {"
    for (i = 1; i <= error_count; i++)
        printf "    {\"%s\", %d},\n", errors[i], numbers[i]
    print "    {NULL, 0},\n};"
}
