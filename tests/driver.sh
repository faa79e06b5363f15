#!/usr/bin/env bash
# What takes too long for every change: modules compiled for real, installations that are interrupted anywhere, other systems' packages, upgrades under
# a real Slurm, and a server that reaches nothing but its controller.
set -euo pipefail
cd "$(dirname "$0")/.."
export MOLECULE_EPHEMERAL_DIRECTORY="$PWD/.cache/molecule"
rm -rf "$MOLECULE_EPHEMERAL_DIRECTORY"

trap 'molecule cleanup -s disconnected; molecule cleanup -s driver; molecule cleanup -s driver_systems; molecule destroy -s default' EXIT
molecule create -s default
molecule prepare --force -s driver
molecule converge -s driver
molecule verify -s driver
molecule verify -s driver_faults
molecule prepare --force -s driver_systems
molecule verify -s driver_systems
molecule converge -s default
molecule prepare --force -s driver_slurm
molecule verify -s driver_slurm
molecule cleanup -s driver_slurm
molecule prepare --force -s disconnected
molecule verify -s disconnected
