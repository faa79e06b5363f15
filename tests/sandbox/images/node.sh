#!/usr/bin/env bash
# Build the images of one Debian release: gpu-fleet-sandbox/node:RELEASE and, with simulated GPUs, gpu-fleet-sandbox/gpu-node:RELEASE.
# Usage: node.sh CACHE_DIRECTORY PYTHON RELEASE    (PYTHON: one that has the package nvidia-nvml-dev, for NVIDIA's nvml.h)
set -euo pipefail
export DOCKER_BUILDKIT=0 # the classic builder is in every Docker; the newer one is a plug-in that distributions package apart
cache=$1 python=$2 release=$3
here=$(cd "$(dirname "$0")" && pwd)
doubles=$(cd "$here/../../doubles" && pwd)

# One library for every release; those built side by side wait for it.
exec 8> "/run/lock/gpu-fleet-sandbox-nvml"
flock 8
header=$("$python" -c 'import glob, sysconfig; print(*glob.glob(sysconfig.get_path("purelib") + "/nvidia/*/include/nvml.h"))')
make --silent -C "$doubles/nvml" NVML_INCLUDE="$(dirname "${header%% *}")" BUILD="$cache/nvml" >&2
exec 8>&-

base=$("$here/base.sh" "$release")
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp -r "$here/node/." "$context/"
mkdir "$context/doubles"
cp -r "$doubles/hardware" "$context/doubles/"
cp "$cache/nvml/libnvidia-ml.so.1" "$context/doubles/libnvidia-ml.so"
find "$context" -exec touch --date=@0 {} + # the builder's cache goes by times too

for target in node gpu-node; do
    docker build --build-arg "BASE=$base" --target "$target" --label gpu.fleet.sandbox=image \
        --tag "gpu-fleet-sandbox/$target:$release" "$context"
done
