#!/usr/bin/env bash
# Make the base image of one Debian release: pulled where a registry is reachable, else bootstrapped from Debian's own packages.
# Usage: base.sh RELEASE     (for example: base.sh bookworm); the image's name goes to standard output, progress to standard error.
# The controller's own certificate authorities go in, so that package clients inside trust what the controller trusts.
set -euo pipefail
export DOCKER_BUILDKIT=0 # the classic builder is in every Docker; the newer one is a plug-in that distributions package apart
release=$1
image=gpu-fleet-sandbox/base:$release
echo "$image"

# Several images are built on it side by side: the first to come makes it, the others wait.
exec 9> "/run/lock/gpu-fleet-sandbox-$release"
flock 9
docker image inspect "$image" >/dev/null 2>&1 && exit 0

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir "$context/ca"
cp /usr/local/share/ca-certificates/*.crt "$context/ca/" 2>/dev/null || true

root=debian:$release-slim
if ! timeout 60 docker pull --quiet "$root" >/dev/null 2>&1; then
    echo "no registry answers: bootstrapping $release from Debian's packages" >&2
    root=gpu-fleet-sandbox/debian:$release
    mmdebstrap --quiet --variant=minbase --include=ca-certificates \
        --customize-hook='rm -rf "$1"/usr/share/{doc,man,locale}/*' "$release" - | docker import --change 'CMD ["bash"]' - "$root" >&2
fi

cat > "$context/Dockerfile" <<DOCKERFILE
FROM $root
COPY ca/ /usr/local/share/ca-certificates/
RUN command -v update-ca-certificates >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates)
RUN update-ca-certificates && printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' > /etc/pip.conf
LABEL gpu.fleet.sandbox=image
DOCKERFILE
docker build --quiet --tag "$image" "$context" >&2
