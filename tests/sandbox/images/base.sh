#!/usr/bin/env bash
# Make the base image of one Debian release: pulled where a registry is reachable, else bootstrapped from Debian's own packages.
# Usage: base.sh RELEASE IMAGE     (for example: base.sh bookworm gpu-fleet-sandbox/base:bookworm)
# The controller's own certificate authorities go in, so that package clients inside trust what the controller trusts.
set -euo pipefail
release=$1 image=$2

docker image inspect "$image" >/dev/null 2>&1 && { echo "have $image"; exit 0; }

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir "$context/ca"
cp /usr/local/share/ca-certificates/*.crt "$context/ca/" 2>/dev/null || true

root=debian:$release-slim
if ! timeout 60 docker pull --quiet "$root" 2>/dev/null; then
    echo "no registry answers: bootstrapping $release from Debian's packages"
    root=gpu-fleet-sandbox/debian:$release
    mmdebstrap --quiet --variant=minbase --include=ca-certificates \
        --customize-hook='rm -rf "$1"/usr/share/{doc,man,locale}/*' "$release" - | docker import --change 'CMD ["bash"]' - "$root"
fi

cat > "$context/Dockerfile" <<DOCKERFILE
FROM $root
COPY ca/ /usr/local/share/ca-certificates/
RUN command -v update-ca-certificates >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates)
RUN update-ca-certificates && printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' > /etc/pip.conf
LABEL gpu.fleet.sandbox=image
DOCKERFILE
docker build --quiet --tag "$image" "$context"
