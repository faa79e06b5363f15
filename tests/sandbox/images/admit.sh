#!/usr/bin/env bash
# Let a public key into a running node for the user fleet, wait for sshd, and print the node's host key as a line of known_hosts.
# Usage: admit.sh CONTAINER ADDRESS PUBLIC_KEY
set -euo pipefail
container=$1 address=$2 key=$3

for attempt in $(seq 120); do
    # On a busy machine systemd in a container sometimes hangs at its start; a reset button is what a server has for that.
    [ "$attempt" = 60 ] && docker restart "$container" >/dev/null
    if docker exec "$container" sh -c 'test -s /etc/ssh/ssh_host_ed25519_key.pub && systemctl is-active --quiet ssh' 2>/dev/null; then
        docker exec "$container" sh -c "install -d -o fleet -g fleet -m 700 /home/fleet/.ssh \
            && echo '$key' | install -o fleet -g fleet -m 600 /dev/stdin /home/fleet/.ssh/authorized_keys"
        echo "$address $(docker exec "$container" cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)"
        exit
    fi
    sleep 0.5
done
echo "found: $container did not start sshd within 60 s; expected: systemd and sshd running; next: docker logs $container" >&2
exit 1
