#!/usr/bin/env bash
# The unit and contract tests on the newest Python and ansible-core that the project supports, where such an interpreter is at hand.
# (The rest of the suite runs on the oldest ansible-core that the interpreter of .venv has.)
set -euo pipefail
cd "$(dirname "$0")/.."

newest=
for candidate in python3.13 "$HOME"/.pyenv/versions/3.13.*/bin/python python3.12 "$HOME"/.pyenv/versions/3.12.*/bin/python; do
    "$candidate" -c 'import ensurepip' 2>/dev/null && newest=$candidate && break
done
[ -n "$newest" ] || { echo "no Python 3.12 or 3.13 here: the tests ran on $(.venv/bin/python --version) only"; exit 0; }

venv=.cache/newest
if ! cmp -s .venv/requirements.txt "$venv/requirements.txt"; then
    "$newest" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --requirement .venv/requirements.txt
    cp .venv/requirements.txt "$venv/"
fi
"$venv/bin/ansible" --version | sed -n '1p; /python version/p'
PATH="$PWD/$venv/bin:$PATH" tests/unit.sh
