#!/bin/sh
# Put the NVML double in the place of every libnvidia-ml that a package has installed, under the same name, and take it away again
# when the package goes. dpkg runs this after each of its own runs; with nothing to do it takes a few milliseconds.
set -eu
library=/usr/lib/gpu-fleet-double/libnvidia-ml.so
aside=/usr/lib/gpu-fleet-double/packaged # the packaged files go here: ldconfig must not find them
list=/var/lib/gpu-fleet-double/diverted
changed=

if [ -s "$list" ]; then
    while read -r path; do
        [ -e "$aside$path" ] && continue
        rm -f "$path" # the package has taken its file away
        dpkg-divert --quiet --local --no-rename --remove "$path"
        sed -i "\\|^$path\$|d" "$list"
        changed=yes
    done <<LIST
$(cat "$list")
LIST
fi

for path in /usr/lib/*/nvidia/current/libnvidia-ml.so.*.* /usr/lib/*/libnvidia-ml.so.*.*; do
    [ -f "$path" ] && [ ! -L "$path" ] && [ ! -e "$aside$path" ] || continue
    mkdir -p "$aside${path%/*}"
    dpkg-divert --quiet --local --rename --divert "$aside$path" --add "$path"
    install -m 644 "$library" "$path"
    echo "$path" >>"$list"
    changed=yes
done

[ -n "$changed" ] || exit 0
ldconfig
# A mistake in the scenario must not make dpkg fail: it has been told on standard error, and NVML refuses to start.
[ ! -d /run/gpu-fleet-double ] || gpu-fleet-double-hardware apply || :
