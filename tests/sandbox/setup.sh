#!/usr/bin/env bash
# Set up what `make demo` and `make test` need, and nothing that is there already: system packages, a Docker engine, a virtual environment.
# Says what is missing, and how to get it, before it changes anything.
# Usage: setup.sh [torch]     (torch: PyTorch for the controller too, for the tests of the probe)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"

refuse() {
    printf 'found:    %s\nexpected: %s\nnext:     %s\n' "$1" "$2" "$3" >&2
    exit 1
}

# --- what this machine is -------------------------------------------------------------------------------------------------------------
system=$(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-unknown}" || uname -s)
command -v apt-get >/dev/null || refuse "$system, without apt-get" "Debian 12 or newer, or Ubuntu 24.04 or newer" \
    "run this in a Debian or Ubuntu virtual machine. Only the sandbox needs it: your real fleet is reached from any system with 'pip install .'"
[ "$(id -u)" = 0 ] || refuse "user $(id -un)" "root, because the sandbox starts containers that run systemd" "run it again with sudo in front: sudo make demo"

python=
for candidate in python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || refuse "$(python3 --version 2>/dev/null || echo 'no python3')" "Python 3.11, 3.12 or 3.13" "apt-get install python3 (Debian 12 or newer, Ubuntu 24.04 or newer)"

# --- system packages --------------------------------------------------------------------------------------------------------------------
packages=()
need() { command -v "$1" >/dev/null || packages+=("${@:2}"); }
need dockerd docker.io iptables
need docker docker-cli
need mmdebstrap mmdebstrap debian-archive-keyring
need gcc gcc libc6-dev
need gpg-agent gnupg
need ssh openssh-client
need tc iproute2 # a slow link, in the scenario fabric
need nsenter util-linux
[ "${1:-}" != torch ] || need chromium chromium       # the browser of the scenario workspace
"$python" -c 'import ensurepip, venv' 2>/dev/null || packages+=("$("$python" -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}-venv")')")
if [ ${#packages[@]} -gt 0 ]; then
    echo "setup: installing ${packages[*]}"
    apt-get update -qq
    # docker-cli is a package of its own from Debian 13 on; before, docker.io carries it.
    apt-cache show docker-cli >/dev/null 2>&1 || packages=("${packages[@]/docker-cli/}")
    # shellcheck disable=SC2068 # empty names must vanish
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${packages[@]} >/dev/null
    mkdir -p .cache && printf '%s\n' ${packages[@]} >> .cache/installed-packages
fi

# --- the Docker engine ------------------------------------------------------------------------------------------------------------------
if ! docker info >/dev/null 2>&1; then
    if [ -d /run/systemd/system ]; then
        systemctl start docker
    else
        mkdir -p .cache
        echo "setup: starting dockerd (log: .cache/dockerd.log)"
        setsid nohup dockerd > .cache/dockerd.log 2>&1 < /dev/null &
        echo $! > .cache/dockerd.pid
    fi
    for _ in $(seq 60); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
    docker info >/dev/null 2>&1 || refuse "a Docker engine that does not answer" "docker info to succeed within 30 s" "see .cache/dockerd.log or journalctl -u docker"
fi

# --- the virtual environment --------------------------------------------------------------------------------------------------------------
# Only the dependencies: the collection is used from this tree, and a copy of it in site-packages would shadow it.
stamp=.venv/.from-pyproject
if ! cmp -s pyproject.toml "$stamp"; then
    echo "setup: installing the Python dependencies into .venv"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python - > .venv/requirements.txt <<'PYTHON'
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
extras = project["optional-dependencies"]
print("\n".join([*project["dependencies"], *extras["sandbox"], *extras["test"]]))
PYTHON
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-compile --requirement .venv/requirements.txt
    cp pyproject.toml "$stamp"
fi

if [ "${1:-}" = torch ] && ! .venv/bin/python -c 'import torch' 2>/dev/null; then
    echo "setup: installing PyTorch for the CPU into .venv"
    # PyTorch's own index of CPU builds; where it does not answer, a version that the default index may have as one.
    install=(.venv/bin/python -m pip install -qq --disable-pip-version-check --no-compile)
    "${install[@]}" --timeout 5 --retries 0 --index-url "${SANDBOX_PYTORCH_CPU_INDEX:-https://download.pytorch.org/whl/cpu}" torch==2.7.1+cpu 2>/dev/null \
        || "${install[@]}" "torch==${SANDBOX_PYTORCH_CPU_FALLBACK:-2.13.0}"
    "${install[@]}" numpy
fi
