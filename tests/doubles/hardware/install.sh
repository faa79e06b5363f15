#!/bin/sh
# Install the simulated hardware into a node's image. Usage: install.sh LIBRARY (the built NVML double)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
install -D -m 644 "$1" /usr/lib/gpu-fleet-double/libnvidia-ml.so
install -D -m 755 "$here/hardware.py" /usr/sbin/gpu-fleet-double-hardware
install -D -m 755 "$here/divert.sh" /usr/sbin/gpu-fleet-double-divert
install -D -m 644 "$here/hardware.service" /etc/systemd/system/gpu-fleet-double-hardware.service
install -D -m 644 "$here/dpkg.conf" /etc/dpkg/dpkg.cfg.d/gpu-fleet-double
install -D -m 644 "$here/scenario.conf" /etc/gpu-fleet-double/scenario.conf
install -d /var/lib/gpu-fleet-double
systemctl enable --quiet gpu-fleet-double-hardware.service
