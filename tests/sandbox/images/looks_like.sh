#!/usr/bin/env bash
# Build the image gpu-fleet-sandbox/node:SYSTEM, a node of a Debian release that looks like another system.
# Usage: looks_like.sh RELEASE SYSTEM     (for example: looks_like.sh bookworm ubuntu-24.04)
set -euo pipefail
export DOCKER_BUILDKIT=0 # the classic builder is in every Docker; the newer one is a plug-in that distributions package apart
release=$1 system=$2
here=$(cd "$(dirname "$0")" && pwd)
docker build --build-arg "NODE=gpu-fleet-sandbox/node:$release" --build-arg "SYSTEM=$system" --label gpu.fleet.sandbox=image \
    --tag "gpu-fleet-sandbox/node:$system" "$here/looks_like"
