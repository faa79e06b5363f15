#!/usr/bin/env bash
# Compile the driver's modules for one kernel with DKMS, and make a package of them.
# Usage: module_package.sh KERNEL DRIVER_VERSION DIRECTORY      (where nvidia-kernel-dkms and the kernel's headers are installed)
set -euo pipefail
kernel=$1 version=$2 directory=$3

dkms build -m nvidia-current -v "$version" -k "$kernel"

package=$(mktemp -d)
trap 'rm -rf "$package"' EXIT
chmod 755 "$package"
install -D --mode=644 --target-directory="$package/lib/modules/$kernel/updates/dkms" "/var/lib/dkms/nvidia-current/$version/$kernel"/*/module/*.ko
mkdir "$package/DEBIAN"
cat > "$package/DEBIAN/control" <<CONTROL
Package: nvidia-modules-$kernel
Version: $version
Architecture: amd64
Maintainer: The GPU fleet toolkit authors <root@localhost>
Depends: linux-image-$kernel
Description: NVIDIA's kernel modules $version, compiled for Linux $kernel
CONTROL
printf '#!/bin/sh\nexec depmod %s\n' "$kernel" | install --mode=755 /dev/stdin "$package/DEBIAN/postinst"
cp "$package/DEBIAN/postinst" "$package/DEBIAN/postrm"
dpkg-deb -Zgzip -z1 --root-owner-group --build "$package" "$directory"
