#!/usr/bin/env bash
# Build the image of a node that looks like the RHEL family: gpu-fleet-sandbox/el-node:<major version>, on the sandbox's Debian 12 node.
# Usage: build.sh ID NAME VERSION     (for example: build.sh rocky 'Rocky Linux' 9.4)
set -euo pipefail
export DOCKER_BUILDKIT=0 # the classic builder is in every Docker; the newer one is a plug-in that distributions package apart
here=$(cd "$(dirname "$0")" && pwd)
docker build --quiet --label gpu.fleet.sandbox=image --build-arg "ID=$1" --build-arg "NAME=$2" --build-arg "VERSION=$3" \
    --tag "gpu-fleet-sandbox/el-node:${3%%.*}" "$here"
