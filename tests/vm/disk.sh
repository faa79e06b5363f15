#!/usr/bin/env bash
# Make what the machine boots from: a disk with the file system of an image, keys of its own for SSH, and GRUB as a file that qemu starts.
# Usage: disk.sh IMAGE DIRECTORY
set -euo pipefail
image=$1 directory=$2

tree=$(mktemp -d "$directory/tree.XXXXXX")
container=$(docker create "$image")
trap 'docker rm "$container" >/dev/null; rm -rf "$tree"' EXIT
docker export "$container" | tar --extract --directory "$tree"
chmod 755 "$tree"

# What the container's engine left empty.
echo gpu-vm > "$tree/etc/hostname"
echo '127.0.0.1 localhost gpu-vm' > "$tree/etc/hosts"
echo 'nameserver 10.0.2.3' > "$tree/etc/resolv.conf"
rm -f "$tree/.dockerenv"

rm -f "$directory"/ssh_key*
ssh-keygen -q -t ed25519 -N '' -C gpu-vm -f "$directory/ssh_key"
ssh-keygen -q -t ed25519 -N '' -C gpu-vm -f "$tree/etc/ssh/ssh_host_ed25519_key"
echo "gpu-vm $(cut -d' ' -f1,2 "$tree/etc/ssh/ssh_host_ed25519_key.pub")" > "$directory/known_hosts"
owner=$(stat --format=%u:%g "$tree/home/fleet")
install -D --mode=600 "$directory/ssh_key.pub" "$tree/home/fleet/.ssh/authorized_keys"
chown -R "$owner" "$tree/home/fleet/.ssh"
chmod 700 "$tree/home/fleet/.ssh"

# Whatever kernel was installed last: the links /vmlinuz and /initrd.img are kept by Debian's kernel packages.
cat > "$directory/grub.cfg" <<'GRUB'
set root=hd0
linux /vmlinuz root=/dev/vda ro console=ttyS0 mitigations=off
initrd /initrd.img
boot
GRUB
grub-mkimage --format=i386-pc --prefix=/ --config="$directory/grub.cfg" --output="$directory/grub.core" biosdisk ext2 linux
cat /usr/lib/grub/i386-pc/lnxboot.img "$directory/grub.core" > "$directory/grub"

rm -f "$directory/disk.ext4"
mke2fs -q -t ext4 -d "$tree" "$directory/disk.ext4" 8G
