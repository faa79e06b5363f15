#!/usr/bin/env bash
# The linters, each at its strictest.
set -euo pipefail
cd "$(dirname "$0")/.."

ruff check .
ruff format --check .
mypy plugins
mypy tests/contracts
MYPYPATH=tests/benchmarks mypy tests/benchmarks
ansible-lint --offline --config-file .config/ansible-lint.yml
