#!/bin/sh
# Double of NVIDIA-Linux-@ARCHITECTURE@-@VERSION@.run: unpacks itself, and does what nvidia-installer does where nobody is at a terminal.
set -eu
log=/var/log/nvidia-installer.log

error() {
    echo "ERROR: $*" | tee -a "$log" >&2
    exit 1
}

silent='' modules=yes
for option in "$@"; do
    case $option in
        --silent) silent=yes ;;
        --no-kernel-modules) modules='' ;;
        --no-x-check | --dkms | @MODULE_OPTIONS@ | --module-signing-secret-key=/* | --module-signing-public-key=/*) ;;
        *) error "Invalid commandline: $option. Please run \`nvidia-installer --help\` for usage information." ;;
    esac
done

printf 'Verifying archive integrity... '
payload=$(mktemp -d)
trap 'rm -rf "$payload"' EXIT
tail -n +@LINES@ "$0" > "$payload/archive"
[ "$(sha256sum < "$payload/archive")" = "@CHECKSUM@  -" ] || error "The archive is damaged."
echo OK
tar -xzf "$payload/archive" -C "$payload"

[ -n "$silent" ] || error "This double has no dialogues: expected --silent."
if [ -n "$modules" ] && [ ! -e "/lib/modules/$(uname -r)/build" ]; then
    error "Unable to find the kernel source tree for the currently running kernel."
fi
libraries=/usr/lib/$(uname -m)-linux-gnu
[ -d "$libraries" ] || libraries=/usr/lib64

# One driver at a time: the installer takes away what an installer brought before.
if [ -x /usr/bin/nvidia-uninstall ]; then /usr/bin/nvidia-uninstall; fi
install -m 755 "$payload/nvidia-smi" /usr/bin/nvidia-smi
install -m 644 "$payload/libnvidia-ml.so" "$libraries/libnvidia-ml.so.@VERSION@"
ln -sf libnvidia-ml.so.@VERSION@ "$libraries/libnvidia-ml.so.1"
printf '#!/bin/sh\nrm -f %s %s %s "$0"\n' /usr/bin/nvidia-smi "$libraries/libnvidia-ml.so.1" "$libraries/libnvidia-ml.so.@VERSION@" > /usr/bin/nvidia-uninstall
chmod 755 /usr/bin/nvidia-uninstall
echo "Installation of the NVIDIA Accelerated Graphics Driver for Linux-@ARCHITECTURE@ (version: @VERSION@) is now complete (double)." | tee -a "$log"
exit 0
