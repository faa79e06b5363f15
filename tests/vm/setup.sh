#!/usr/bin/env bash
# Install what the machine needs besides what the sandbox does: qemu, GRUB as files, and what makes a file system.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "$(uname -m)" != x86_64 ]; then
    printf 'found:    a %s machine\nexpected: x86_64, since the modules are compiled natively for the x86_64 machine under qemu\nnext:     run this there\n' "$(uname -m)" >&2
    exit 1
fi
packages=()
command -v qemu-system-x86_64 >/dev/null || packages+=(qemu-system-x86)
command -v mke2fs >/dev/null || packages+=(e2fsprogs)
command -v grub-mkimage >/dev/null || packages+=(grub-common)
[ -e /usr/lib/grub/i386-pc/lnxboot.img ] || packages+=(grub-pc-bin)
if [ ${#packages[@]} -gt 0 ]; then
    echo "setup: installing ${packages[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    mkdir -p .cache && printf '%s\n' "${packages[@]}" >> .cache/installed-packages
fi
