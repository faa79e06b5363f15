#!/usr/bin/env bash
# Switch the machine on or off. What it writes is gone when it is switched off.
# Usage: machine.sh on DIRECTORY PORT | machine.sh off DIRECTORY       (PORT: of 127.0.0.1, for SSH)
set -euo pipefail
state=$1 directory=$2

off() {
    if [ "$(cat "/proc/$(cat "$directory/pid" 2>/dev/null)/comm" 2>/dev/null)" = qemu-system-x86 ]; then
        kill "$(cat "$directory/pid")"
    fi
    rm -f "$directory/pid"
}

on() {
    # The processor is interpreted, since not every host lets its guests have KVM: one way of running for all.
    qemu-system-x86_64 -daemonize -pidfile "$directory/pid" -nodefaults -display none -serial "file:$directory/console.log" \
        -accel tcg,thread=multi -cpu max -smp 2 -m 3072 -device virtio-rng-pci \
        -kernel "$directory/grub" -snapshot -drive "file=$directory/disk.ext4,format=raw,if=virtio" \
        -nic "user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:$1-:22"
}

off
if [ "$state" = on ]; then on "$3"; fi
