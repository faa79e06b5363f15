#!/usr/bin/env bash
# Build the sandbox's PyTorch image from wheels.
# Usage: build.sh cpu|cuda WHEEL_DIRECTORY REPOSITORY
#   WHEEL_DIRECTORY  where wheels are kept between runs
#   REPOSITORY       the name of the image without a tag, for example registry.sandbox:5000/pytorch/pytorch
# The tag says which PyTorch is inside. Progress goes to standard error, one line of JSON to standard output:
#   {"image": "REPOSITORY:TAG", "tag": "2.7.1-cpu", "version": "2.7.1", "variant": "cpu", "changed": true}
set -euo pipefail
if [ $# -ne 3 ] || [[ $1 != @(cpu|cuda) ]]; then
    sed -n '2,7s/^# \?//p' "$0" >&2
    exit 2
fi
kind=$1 repository=$3
mkdir -p "$2"
wheels=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

# PyTorch's own index of CPU builds; where it does not answer, the version below if it is a CPU build wherever pip finds it.
cpu_index=${SANDBOX_PYTORCH_CPU_INDEX:-https://download.pytorch.org/whl/cpu}
cpu_fallback=${SANDBOX_PYTORCH_CPU_FALLBACK:-2.13.0}
version=2.7.1
# What the original has beside it. There is no build for the CPU that goes with the version below.
companions=()
[ "$kind" = cpu ] || companions=(torchvision==0.22.1 "torchaudio==$version")

say() { echo "$*" >&2; }

download() { # DIRECTORY REQUIREMENT... : wheels for the base's Python, whatever Python runs here
    local directory=$1
    shift
    python3 -m pip download --quiet --disable-pip-version-check --dest "$directory" --python-version 3.11 --implementation cp \
        --only-binary=:all: --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 --platform manylinux1_x86_64 "$@" >&2
}

wheel_of() { # DIRECTORY PREFIX
    find "$1" -maxdepth 1 -name "$2*.whl" -printf '%f\n' | sort | tail -n 1
}

fetch_cpu() {
    local directory=$wheels/cpu
    mkdir -p "$directory"
    [ -f "$directory/complete" ] && return
    if download "$directory" --timeout 5 --retries 0 --no-deps --index-url "$cpu_index" "torch==$version+cpu" 2>/dev/null; then
        say "torch $version from $cpu_index"
    else
        say "found: $cpu_index does not answer; trying torch $cpu_fallback where pip finds it"
        download "$directory" --no-deps "torch==$cpu_fallback"
        if [ -z "$(wheel_of "$directory" 'torch-*+cpu')" ]; then
            rm -f "$directory"/torch-*.whl
            say "found: torch $cpu_fallback is a CUDA build here; expected: a CPU build (+cpu)"
            say "next: let this machine reach $cpu_index, set SANDBOX_PYTORCH_CPU_INDEX to a mirror of it, or use the variant cuda"
            exit 1
        fi
    fi
    # What PyTorch needs on a CPU, without resolving the wheel's requirements anew: the file is given as it lies.
    download "$directory" pip numpy "$directory/$(wheel_of "$directory" torch-)"
    touch "$directory/complete"
}

fetch_cuda() {
    local directory=$wheels/cuda
    mkdir -p "$directory"
    [ -f "$directory/complete" ] && return
    say "downloading torch $version with its CUDA libraries (2.8 GB)"
    download "$directory" pip numpy "torch==$version" "${companions[@]}"
    touch "$directory/complete"
}

"fetch_$kind"
base=$("$here/../base.sh" bookworm) # the wheels are for its Python 3.11
directory=$wheels/$kind
torch=$(wheel_of "$directory" torch-)
local_version=$(cut -d- -f2 <<<"$torch") # 2.13.0+cpu, or 2.7.1
version=${local_version%%+*}
if [ "$kind" = cpu ]; then
    variant=cpu tag=$version-cpu title="PyTorch $version for the CPU (simulated: stands in for pytorch/pytorch in the sandbox)"
else
    # The wheels on the Python index are the CUDA 12.6 build; cuDNN 9.
    variant=cu126 tag=$version-cuda12.6-cudnn9-runtime title="PyTorch $version, CUDA 12.6 (made from wheels for the sandbox)"
fi
image=$repository:$tag

inputs=$({ docker image inspect --format '{{.Id}}' "$base"; cat "$here/Dockerfile"; (cd "$wheels" && ls "$kind"); } | sha256sum | cut -c1-16)
result() { printf '{"image": "%s", "tag": "%s", "version": "%s", "variant": "%s", "changed": %s}\n' "$image" "$tag" "$version" "$variant" "$1"; }
if [ "$(docker image inspect --format '{{index .Config.Labels "gpu.fleet.inputs"}}' "$image" 2>/dev/null)" = "$inputs" ]; then
    say "have $image"
    result false
    exit
fi

# The wheels are served on the loopback for as long as the build takes.
served=$(mktemp -d)
ln -s "$directory"/*.whl "$served/"
cp "$directory/$(wheel_of "$directory" pip-)" "$served/pip.whl"
mkdir "$served/build"
cp "$here/Dockerfile" "$served/build/"
python3 -u -m http.server --bind 127.0.0.1 --directory "$served" 0 >"$served/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$served"' EXIT
for _ in $(seq 50); do
    port=$(sed -n 's/^Serving HTTP on .* port \([0-9]*\) .*/\1/p' "$served/log")
    [ -n "$port" ] && break
    sleep 0.1
done

DOCKER_BUILDKIT=0 docker build --network host --tag "$image" --build-arg "BASE=$base" --build-arg "WHEELS=http://127.0.0.1:$port" \
    --build-arg "REQUIREMENTS=torch==$local_version ${companions[*]}" --build-arg "TITLE=$title" --build-arg "VERSION=$version" \
    --build-arg "INPUTS=$inputs" "$served/build" >&2
result true
