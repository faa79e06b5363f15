#!/usr/bin/env bash
# The driver on a machine with a kernel of its own. What is made once (images, modules, the disk) is kept in .cache/vm.
# Usage: run.sh [PORT]      (PORT: of 127.0.0.1, for SSH to the machine)
set -euo pipefail
cd "$(dirname "$0")/../.."
port=${1:-20022}
here=tests/vm images=tests/vm/images cache=$PWD/.cache/vm
export DOCKER_BUILDKIT=0 # the classic builder is in every Docker; the newer one is a plug-in that distributions package apart
mkdir -p "$cache"

step() { printf '\n=== %s (%s)\n' "$1" "$(date +%T)"; }

# build NAME ARGUMENT...: the image gpu-fleet-sandbox/NAME
build() {
    local name=$1 arguments=() argument
    for argument in "${@:2}"; do arguments+=(--build-arg "$argument"); done
    docker build --quiet --label gpu.fleet.sandbox=image --tag "gpu-fleet-sandbox/$name" "${arguments[@]}" "$images/$name" >/dev/null
}

step "what Debian has"
base=$(tests/sandbox/images/base.sh bookworm)
read -r old_kernel new_kernel driver < <(docker run --rm --interactive "$base" bash -s < "$images/offers.sh")
echo "kernels $old_kernel and $new_kernel, driver $driver"

step "the modules for both kernels"
# Those of an earlier run do, for the same kernels and driver.
compiled() { compgen -G "$cache/modules/Debian-12/archive/nvidia-modules-*-$1_${driver}_*.json" >/dev/null; }
tests/sandbox/images/node.sh "$PWD/.cache/sandbox" python bookworm >/dev/null
if ! { compiled "$old_kernel" && compiled "$new_kernel"; }; then
    SANDBOX_NAME=vm SANDBOX_PREFIX=${SANDBOX_PREFIX:-172.30.81} ansible-playbook "$here/compile.yml" \
        --inventory inventories/sandbox --inventory "$here/builder.yml" \
        --extra-vars "{sandbox_root: $PWD, vm_cache: $cache, vm_driver: $driver, vm_kernels: [$old_kernel, $new_kernel]}"
fi

step "the machine's disk"
build vm "NODE=gpu-fleet-sandbox/node:bookworm" "KERNEL=$old_kernel"
image=$(docker images --no-trunc --quiet gpu-fleet-sandbox/vm)
if [ "$image" != "$(cat "$cache/made-of" 2>/dev/null)" ]; then
    "$here/disk.sh" "$image" "$cache"
    echo "$image" > "$cache/made-of"
fi

step "the driver's life on it"
trap '"$here/machine.sh" off "$cache"' EXIT
"$here/machine.sh" on "$cache" "$port"
timeout --foreground 60m ansible-playbook "$here/life.yml" --inventory "$here/inventory.yml" \
    --extra-vars "ansible_port=$port vm_cache=$cache vm_old_kernel=$old_kernel vm_new_kernel=$new_kernel vm_driver=$driver"
step "all of it held"
