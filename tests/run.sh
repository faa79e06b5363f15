#!/usr/bin/env bash
# The whole test suite: what is quick and fails often first.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n=== %s (%s)\n' "$1" "$(date +%T)"; }

step "linters"
tests/lint.sh
step "unit and contract tests"
tests/unit.sh
step "the same on the newest Python and ansible-core at hand"
tests/newest.sh
step "the local fleet: check, converge, idempotence, verify, faults"
# Molecule would note in the home directory, by the checkout's mere name, that the sandbox is there, and believe it after a run that was cut off.
export MOLECULE_EPHEMERAL_DIRECTORY="$PWD/.cache/molecule"
rm -rf "$MOLECULE_EPHEMERAL_DIRECTORY"
# What takes longest is `make test-driver`.
molecule test --all --exclude disconnected --exclude driver --exclude driver_faults --exclude driver_slurm --exclude driver_systems --destroy always
