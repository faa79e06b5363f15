#!/usr/bin/env bash
# Have the wheels of a lock file, for the sandbox to serve: a build or a node need not fetch a hundred files.
# Usage: workspace_wheels.sh LOCK DIRECTORY PYTHON...      (PYTHON: versions that they are to be installed with, such as 3.11)
set -euo pipefail
lock=$1 directory=$2
shift 2
if cmp -s "$lock" "$directory/complete"; then
    echo "have the wheels"
    exit
fi
rm -rf "$directory"
mkdir -p "$directory"
for python; do
    python3 -m pip download --quiet --disable-pip-version-check --dest "$directory" --python-version "$python" --implementation cp \
        --only-binary=:all: --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 --platform manylinux1_x86_64 --no-deps --require-hashes --requirement "$lock"
done
cp "$lock" "$directory/complete"
