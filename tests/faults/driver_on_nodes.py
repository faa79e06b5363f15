"""Faults of an installation for real: interrupted anywhere, no network, no space. What was there stays whole, and the next run goes on.

The Molecule scenario `driver_faults` runs it on its sandbox: `cd tests && python -m faults.driver_on_nodes`. Real packages of Debian, two
versions in turn. The points of interruption are random; `--seed N` repeats those that a run has printed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from sandbox.reach import inside, on_network

REPOSITORY = Path(__file__).parents[2]
NODE = "gpu-01"
VERSIONS = ("535.261.03", "535.309.01")  # bookworm's, and its security archive's
BOUND_S = 300
ARCHIVES = "/var/cache/apt/archives"


@dataclass(frozen=True)
class Run:
    """How the playbook ended."""

    ok: bool
    output: str
    seconds: float


def command(version: str) -> list[str]:
    """Build the command that installs a version."""
    return [
        *("ansible-playbook", "tests/faults/driver.yml", "--inventory", "inventories/sandbox"),
        *("--extra-vars", f"nvidia_driver_version={version}"),
    ]


def run(version: str) -> Run:
    """Install a version."""
    began = time.monotonic()
    done = subprocess.run(command(version), cwd=REPOSITORY, capture_output=True, text=True, timeout=BOUND_S, check=False)
    return Run(done.returncode == 0, done.stdout + done.stderr, time.monotonic() - began)


def interrupt(version: str, after_s: float, *, node_too: bool) -> None:
    """Kill the controller after a while, and what it has begun on the node too or not, as a node that loses its power does."""
    process = subprocess.Popen(
        command(version), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if node_too:
        inside(NODE, "pkill", "-KILL", "apt-get|dpkg|dpkg-deb|postinst|preinst|prerm|postrm")
        inside(NODE, "pkill", "-KILL", "--full", "AnsiballZ|ansible_collections")


def contract(version: str) -> Iterator[str]:
    """Say where the node is not as it should be, by dpkg's and apt's own words."""
    listed = inside(NODE, "dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev} ${source:Package}\n").stdout
    rows = [line.split() for line in listed.splitlines()]
    driver = [row for row in rows if row[-1].startswith("nvidia-graphics-drivers") and row[2][1] != "c"]
    if len(driver) < 10:
        yield f"found only {len(driver)} packages of the driver"
    yield from (
        f"{name} is {package}, {status}" for name, package, status, _ in driver if not package.startswith(version) or status != "hi"
    )
    for check in (("dpkg", "--audit"), ("apt-get", "check", "-qq")):
        done = inside(NODE, *check)
        if done.returncode or done.stdout.strip():
            yield f"{' '.join(check)}: {(done.stdout + done.stderr).strip()[:500]}"


def interrupted(seed: int, points: int) -> Iterator[tuple[str, list[str]]]:
    """Interrupt installations at random points, run again, and look whether the node is whole."""
    chance = random.Random(seed)
    took = max(run(version).seconds for version in VERSIONS)
    for number in range(points):
        version = VERSIONS[number % 2]
        # The first half of a run is that of looking, so that most points are after it.
        after_s, node_too = took * chance.betavariate(3, 2), chance.random() < 0.5
        interrupt(version, after_s, node_too=node_too)
        again = run(version)
        complaints = [] if again.ok else [again.output[-2000:]]
        what = f"interrupted after {after_s:.1f} of {took:.1f} s, {'with what ran on the node' if node_too else 'the controller alone'}"
        yield what, [*complaints, *contract(version)]


@contextmanager
def no_network() -> Iterator[None]:
    """Have the node reach nobody but who speaks to it."""
    rules = [(port, "--jump", "REJECT", "--reject-with", "tcp-reset") for port in ("80", "443")]
    for port, *jump in rules:
        on_network(NODE, "iptables", "--wait", "--insert", "OUTPUT", "--protocol", "tcp", "--dport", port, *jump)
    try:
        yield
    finally:
        for port, *jump in rules:
            on_network(NODE, "iptables", "--wait", "--delete", "OUTPUT", "--protocol", "tcp", "--dport", port, *jump)


@contextmanager
def no_space() -> Iterator[None]:
    """Leave no room where apt puts what it fetches."""
    inside(NODE, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", ARCHIVES)
    inside(NODE, "mkdir", "-p", f"{ARCHIVES}/partial")
    try:
        yield
    finally:
        inside(NODE, "umount", ARCHIVES)


def refused(fault: Callable[[], contextlib.AbstractContextManager[None]], words: str) -> list[str]:
    """See that a change is refused with these words, that the version which was there stays whole, and that the next run succeeds."""
    there, other = VERSIONS
    first = run(there)
    inside(NODE, "apt-get", "clean")
    with fault():
        failed = run(other)
    said = " ".join(failed.output.split())
    complaints = [] if first.ok else [first.output[-2000:]]
    if failed.ok or words not in said:
        complaints.append(f"expected {words!r}, found {said[-2000:]}")
    complaints += contract(there)
    again = run(other)
    return [*complaints, *([] if again.ok else [again.output[-2000:]]), *contract(other)]


REFUSED = {
    "the archive does not answer": (no_network, "Found that a package source does not answer as it should: "),
    "no space for what is fetched": (no_space, "You don't have enough free space"),
}


def main() -> int:
    """Tell the stories, print what differs, and return how many do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--points", type=int, default=10)
    given = parser.parse_args()
    sys.stdout.write(f"seed {given.seed}\n")
    wrong = 0
    began = time.monotonic()
    for what, complaints in chain(((what, refused(*story)) for what, story in REFUSED.items()), interrupted(given.seed, given.points)):
        wrong += bool(complaints)
        outcome = f"{'WRONG' if complaints else 'as expected'}: {what} ({time.monotonic() - began:.0f} s since the beginning)"
        sys.stdout.write("\n  ".join([outcome, *complaints]) + "\n")
        sys.stdout.flush()
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
