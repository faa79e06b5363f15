#!/usr/bin/env bash
# Remove everything that the other commands made: containers, volumes, networks, images, the virtual machine, caches, reports, and the engine if it was
# started here.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"

if docker info >/dev/null 2>&1; then
    docker ps --all --quiet --filter label=gpu.fleet.sandbox | xargs --no-run-if-empty docker rm --force --volumes
    docker network ls --quiet --filter label=gpu.fleet.sandbox | xargs --no-run-if-empty docker network rm
    # By name: an image that others are built on goes with the last of them.
    {
        docker images --filter label=gpu.fleet.sandbox --format '{{.Repository}}:{{.Tag}}'
        docker images --format '{{.Repository}}:{{.Tag}}' 'gpu-fleet-sandbox/*'
    } | sed '/<none>/d' | sort -u | xargs --no-run-if-empty docker rmi --force >/dev/null
    docker image prune --force --filter label=gpu.fleet.sandbox >/dev/null
fi
# The engine's trust in the registries of these sandboxes.
for authority in .sandbox/*/image_registry/ca.crt; do
    for trusted in /etc/docker/certs.d/*/ca.crt; do
        if cmp -s "$authority" "$trusted"; then rm -r "$(dirname "$trusted")"; fi
    done
done
if [ -s .cache/dockerd.pid ] && [ "$(cat "/proc/$(cat .cache/dockerd.pid)/comm" 2>/dev/null)" = dockerd ]; then
    echo "clean: stopping the Docker engine that was started here"
    kill "$(cat .cache/dockerd.pid)"
fi
tests/vm/machine.sh off .cache/vm
if [ -s .cache/installed-packages ]; then
    echo "clean: these system packages were installed and stay; remove them with: apt-get purge $(sort -u .cache/installed-packages | xargs)"
fi
rm -rf .venv .cache .sandbox .ansible .mypy_cache .pytest_cache .ruff_cache .hypothesis dist reports inventories/sandbox/more.yml
find . -name __pycache__ -type d -prune -exec rm -rf {} +
