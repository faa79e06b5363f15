#!/usr/bin/env bash
# The whole test suite: what is quick and fails often first.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n=== %s (%s)\n' "$1" "$(date +%T)"; }

step "linters"
tests/lint.sh
step "unit and contract tests"
python -m pytest --numprocesses auto --dist loadfile
step "the same on the newest Python and ansible-core at hand"
tests/newest.sh
step "the local fleet: check, converge, idempotence, verify, faults"
molecule test --all --destroy always
