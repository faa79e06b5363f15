#!/usr/bin/env bash
# Have the wheels that roles/workspace_image installs, for the sandbox to serve: a build need not fetch a hundred files.
# Usage: workspace_wheels.sh DIRECTORY
set -euo pipefail
directory=$1
lock=$(cd "$(dirname "$0")/../.." && pwd)/roles/workspace_image/files/requirements.lock
if cmp -s "$lock" "$directory/complete"; then
    echo "have the wheels"
    exit
fi
rm -rf "$directory"
mkdir -p "$directory"
python3 -m pip download --quiet --disable-pip-version-check --dest "$directory" --python-version 3.11 --implementation cp \
    --only-binary=:all: --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
    --platform manylinux2014_x86_64 --platform manylinux1_x86_64 --no-deps --require-hashes --requirement "$lock"
cp "$lock" "$directory/complete"
