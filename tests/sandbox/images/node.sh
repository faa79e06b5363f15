#!/usr/bin/env bash
# Build the images of one Debian release: gpu-fleet-sandbox/node:RELEASE and, with simulated GPUs, gpu-fleet-sandbox/gpu-node:RELEASE.
# Usage: node.sh RELEASE
set -euo pipefail
release=$1
here=$(cd "$(dirname "$0")" && pwd)
doubles=$(cd "$here/../../doubles" && pwd)

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp -r "$here/node/." "$context/"
mkdir "$context/doubles"
cp -r "$doubles/hardware" "$context/doubles/" 2>/dev/null || true
for target in node gpu-node; do
    [ "$target" = node ] || [ -x "$context/doubles/hardware/install.sh" ] || continue
    docker build --build-arg "BASE=gpu-fleet-sandbox/base:$release" --target "$target" --label gpu.fleet.sandbox=image \
        --tag "gpu-fleet-sandbox/$target:$release" "$context"
done
