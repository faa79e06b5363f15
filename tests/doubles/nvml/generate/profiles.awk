# From profiles/*.conf: their text, as C.
function finish() {
    if (name != "")
        print "    },"
}
BEGIN {
    print "/* Generated from profiles/: do not edit. */"
    print "#include \"double.h\""
    print "const struct profile profiles[] = {"
}
FNR == 1 {
    finish()
    name = FILENAME
    sub(/.*\//, "", name)
    sub(/\.conf$/, "", name)
    printf "    {\"%s\",\n", name
}
{
    gsub(/\\/, "\\\\")
    gsub(/"/, "\\\"")
    printf "     \"%s\\n\"\n", $0
}
END {
    finish()
    print "    {0},\n};"
}
