#!/usr/bin/env bash
# What of the driver takes too long for every change: modules compiled for real, and installations that are interrupted anywhere.
set -euo pipefail
cd "$(dirname "$0")/.."
export MOLECULE_EPHEMERAL_DIRECTORY="$PWD/.cache/molecule"
rm -rf "$MOLECULE_EPHEMERAL_DIRECTORY"

trap 'molecule cleanup -s driver; molecule destroy -s default' EXIT
molecule create -s default
for step in "prepare --force" converge verify; do
    # shellcheck disable=SC2086 # two words
    molecule $step -s driver
done
molecule verify -s driver_faults
