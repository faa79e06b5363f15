#!/usr/bin/env bash
# Print what Debian's archive has: the two newest kernels with their headers, the older first, and the newest version of the driver.
# Run in a container, whose package sources it completes.
set -euo pipefail
sed -i 's/\bmain$/main contrib non-free non-free-firmware/' $(find /etc/apt/sources.list /etc/apt/sources.list.d -type f)
apt-get update -qq
# For a day or so after a kernel's headers Debian lacks its image, which somebody has to sign first.
versions() { apt-cache dumpavail | grep -oP "^Package: linux-$1-\K\d+\.\d+\.\d+-\d+-amd64\$" | sort --unique; }
kernels=$(comm -12 <(versions headers) <(versions image) | sort --version-sort | tail -2 | xargs)
driver=$(apt-cache madison nvidia-kernel-dkms | awk '{ sub(/-[^-]*$/, "", $3); print $3; exit }')
echo "$kernels $driver"
