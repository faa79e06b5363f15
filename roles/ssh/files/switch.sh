#!/bin/sh
# Changes sshd's configuration so that a mistake takes itself back. Lies in /run for as long as a change is not committed.
#   arm SECONDS UNIT FILE...   keep the files as they are, and put them back after that time
#   apply                      have sshd use what the files say now
#   commit                     it works: forget the files that were
#   rollback                   it does not: put them back and have sshd use them
set -eu
state=/run/gpu-fleet-ssh
timer=gpu-fleet-ssh-rollback

apply() {
    mkdir -p -m 0755 /run/sshd
    /usr/sbin/sshd -t
    unit=$(cat "$state/unit")
    if systemctl is-active --quiet "$unit.socket"; then
        # The socket has the port and starts the service at the next login. Sessions outlive the service.
        systemctl daemon-reload
        systemctl stop "$unit.service"
        systemctl restart "$unit.socket"
    else
        systemctl reload "$unit.service"
    fi
}

case $1 in
arm)
    seconds=$2 unit=$3
    shift 3
    systemctl stop "$timer.timer" 2>/dev/null || true
    rm -rf "$state"
    mkdir -m 0700 "$state" "$state/before"
    echo "$unit" >"$state/unit"
    printf '%s\n' "$@" >"$state/files"
    for file; do
        if [ -e "$file" ]; then
            mkdir -p "$state/before${file%/*}"
            cp -a "$file" "$state/before$file"
        fi
    done
    systemd-run --quiet --unit="$timer" --on-active="$seconds" --timer-property=AccuracySec=1s /bin/sh "$0" rollback
    ;;
apply)
    apply
    ;;
commit)
    systemctl stop "$timer.timer" 2>/dev/null || true
    if [ ! -d "$state" ]; then
        echo "The node has taken the change back by itself, since nobody committed it in time." >&2
        exit 1
    fi
    rm -rf "$state" "$0"
    ;;
rollback)
    [ -d "$state" ] || exit 0
    while read -r file; do
        if [ -e "$state/before$file" ]; then
            cp -a "$state/before$file" "$file"
        else
            rm -f "$file"
        fi
    done <"$state/files"
    apply
    rm -rf "$state"
    systemctl stop "$timer.timer" 2>/dev/null || true
    ;;
esac
