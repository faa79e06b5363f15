#!/usr/bin/env bash
# The unit and contract tests with the Python of PATH. Some wait for what hangs: one process more than there are processors keeps them busy.
set -euo pipefail
cd "$(dirname "$0")/.."
python -m pytest --numprocesses "$(($(nproc) + 1))" --dist loadfile
