#!/bin/sh
# For HealthCheckProgram in slurm.conf: drains this node when its GPUs would kill a job (2), or when that cannot be told (3: a driver that
# hangs is one such case). A degraded node (1) goes on. Slurm leaves draining to the program, and ends it after 60 s.
check=${GPU_FLEET_READINESS:-/usr/local/sbin/gpu-fleet-readiness}
node=${SLURMD_NODENAME:-$(hostname -s)}

told=$("$check" 2>&1)
case $? in
0 | 1) exit 0 ;;
esac
# Who drained it before has given a reason of their own.
case $(scontrol show node --oneliner "$node") in
*DRAIN*) exit 0 ;;
esac
scontrol update NodeName="$node" State=DRAIN Reason="$(printf '%s\n' "${told:-GPU UNKNOWN: $check said nothing}" | head -n 1)"
