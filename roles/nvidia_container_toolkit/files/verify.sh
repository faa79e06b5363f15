#!/bin/sh
# Proves that a container gets the node's GPUs: nvidia-smi lists the same ones inside as outside.
#   verify.sh IMAGE DOCKER_RUN_OPTION...
# With an empty IMAGE, one is made of nothing but the C library's files that nvidia-smi is linked against, and the loader's settings, and
# removed again: whatever else it finds inside was put there by the toolkit. (Up to 1.18.0 the toolkit tells the loader where the driver's
# libraries are only in an image that has these settings, as all real ones have.)
set -eu
image=$1
shift

smi=$(command -v nvidia-smi) || { echo "found no nvidia-smi on the node, expected the driver's: run the role nvidia_driver" >&2; exit 1; }
outside=$("$smi" -L) || true
case $outside in
    'GPU '*) ;;
    *) echo "found no GPU on the node: nvidia-smi -L says '$outside'" >&2; exit 1 ;;
esac

if [ -z "$image" ]; then
    nvml=$(ldconfig -p | awk '$1 == "libnvidia-ml.so.1" { print $NF; exit }')
    image=$({ ldd "$smi" $nvml | grep -o '/[^ ]* (0x' | cut -d ' ' -f 1 | sort -u
              find /etc/ld.so.conf /etc/ld.so.conf.d /etc/ld.so.cache -maxdepth 0 2> /dev/null
            } | xargs tar -C / --create --dereference --absolute-names | docker import - 2> /dev/null)
    trap 'docker rmi "$image" > /dev/null' EXIT
fi

inside=$(docker run --rm --network none "$@" "$image" nvidia-smi -L) || true
if [ "$inside" != "$outside" ]; then
    echo "found in a container (docker run $*): '$inside', expected what the node lists: '$outside'" >&2
    exit 1
fi
printf '%s\n' "$inside"
