"""One look at what hands the GPUs of a node to its containers: packages, Docker's settings, the CDI specification, the last proof.

Run as `python3 - JSON < look.py`; prints JSON, changes nothing. The argument is an object:
  packages       names, with the version that each is wanted (and held) at
  files          paths, each with the text that it should have (null: only that it should be there)
  cdi_spec       the path of the CDI specification
  cdi_unit       the name of the systemd unit that refreshes it, cdi_unit_path and cdi_unit_text: where and what it should be
  set_as_default whether Docker should use NVIDIA's runtime for every container
  proof          the path of the last proof that a container lists the GPUs
  proof_extra    what else, if it changes, makes the proof void
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

DAEMON_JSON = "/etc/docker/daemon.json"
# Docker 25 is the first that knows CDI; up to 28.1 it has to be switched on.
CDI_SINCE = 25


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str = ""
    error: str = ""


def packages_differ(status: str, wanted: dict[str, str]) -> list[str]:
    """List the packages that are not there, not at the wanted version, or not held.

    `status` is what dpkg-query prints for the format '${Package} ${Version} ${db:Status-Want} ${db:Status-Status}'.
    """
    found = set(status.splitlines())
    return [name for name, version in wanted.items() if f"{name} {version} hold installed" not in found]


def text_differs(found: str | None, wanted: str | None) -> bool:
    """Whether a file has to be written; without a wanted text it only has to be there."""
    return found is None or wanted not in (None, found)


def holds(whole: Any, part: Any) -> bool:
    """Whether everything in `part` is in `whole`, objects within objects likewise."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and holds(whole[key], value) for key, value in part.items())
    return bool(whole == part)


def knows_cdi(version: str) -> bool:
    """Whether the engine of this version does CDI if told to."""
    major = re.match(r"\d+", version)
    return major is not None and int(major.group()) >= CDI_SINCE


def docker(info: dict[str, Any], text: str, dry_run: Result) -> dict[str, Any]:
    """Compare daemon.json with what nvidia-ctk would have in it. The caller merges it: nvidia-ctk forgets the file's other features."""
    if dry_run.code:
        raise ValueError(
            f"Found that nvidia-ctk cannot read {DAEMON_JSON} ({last_message(dry_run.error)}), expected a JSON object. "
            "Nothing was changed. Correct or remove the file on the node, then run again."
        )
    wanted = json.loads(dry_run.out)
    return {"info": info, "wanted": wanted, "differs": not holds(json.loads(text or "{}"), wanted)}


def last_message(log: str) -> str:
    """Find the message of the last line that nvidia-ctk logged."""
    messages = re.findall(r'^time=\S+ level=\S+ msg=(".*"|\S+)$', log, re.MULTILINE)
    if not messages:
        return log.strip()
    return str(json.loads(messages[-1])) if messages[-1].startswith('"') else messages[-1]


def cdi_state(generated: Result, found: str | None, *, unit: bool) -> dict[str, Any]:
    """Compare the specification with what nvidia-ctk finds now; the order of its lines may differ, a driver or a GPU may not."""
    if generated.code:
        return {"state": "unknown", "reason": last_message(generated.error)}
    same = found is not None and sorted(found.splitlines()) == sorted(generated.out.splitlines())
    return {"state": "fresh" if same and unit else "stale"}


def proof_key(*parts: Any) -> str:
    """Name what a proof is valid for."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read(path: str) -> str | None:
    """Read a file; None where there is none."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def run(*command: str) -> Result:
    """Run a command that only reads."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - fixed commands
    except FileNotFoundError:
        return Result(127, "", f"{command[0]} is not installed")
    except subprocess.TimeoutExpired:
        return Result(124, "", f"{command[0]} did not answer within 60 s")
    return Result(done.returncode, done.stdout, done.stderr)


def engine_info() -> dict[str, Any]:
    """Ask Docker what it is, as far as GPUs go."""
    answer = run("docker", "info", "--format", "{{json .}}")
    info = {} if answer.code else json.loads(answer.out)
    # Where there is no engine the client says so in what it prints, and ends with status 0.
    silence = answer.error.strip() if answer.code else "; ".join(info.get("ServerErrors") or [])
    if silence:
        raise ValueError(
            f"Found that Docker does not answer ({silence}), expected a running engine. Run the role container_engine first, "
            "or see systemctl status docker.service on the node."
        )
    return {key: info.get(key) for key in ("ServerVersion", "Runtimes", "CDISpecDirs", "DefaultRuntime")}


def look(wanted: dict[str, Any]) -> dict[str, Any]:
    """See the whole; what needs the toolkit is left out where it is not installed."""
    if not wanted["cdi_spec"].endswith(".yaml"):
        raise ValueError(
            f"Found nvidia_container_toolkit_cdi_spec {wanted['cdi_spec']}, expected a path that ends with .yaml, since nvidia-ctk writes "
            "another format into a file of another name. Nothing was changed. Correct it in the inventory."
        )
    status = run("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Want} ${db:Status-Status}\n", *wanted["packages"]).out
    packages = packages_differ(status, wanted["packages"])
    files = [path for path, text in wanted["files"].items() if text_differs(read(path), text)]
    seen: dict[str, Any] = {"installed": not packages and not files, "files_differ": files, "tool": shutil.which("nvidia-ctk") is not None}
    if not seen["tool"]:
        return seen
    info = engine_info()
    options = ["--set-as-default"] if wanted["set_as_default"] else []
    options += ["--cdi.enabled"] if knows_cdi(info["ServerVersion"]) else []
    dry_run = run("nvidia-ctk", "runtime", "configure", "--runtime=docker", "--dry-run", *options)
    seen["docker"] = docker(info, read(DAEMON_JSON) or "", dry_run)
    unit = (
        read(wanted["cdi_unit_path"]) == wanted["cdi_unit_text"] and run("systemctl", "is-enabled", "--quiet", wanted["cdi_unit"]).code == 0
    )
    spec = read(wanted["cdi_spec"])
    seen["cdi"] = cdi_state(run("nvidia-ctk", "cdi", "generate"), spec, unit=unit)
    if seen["cdi"]["state"] == "unknown":
        seen["cdi"]["usable"] = spec is not None or run("nvidia-smi", "-L").out.startswith("GPU ")
    engine = [info["ServerVersion"], info["CDISpecDirs"], "nvidia" in info["Runtimes"]]
    seen["key"] = proof_key(wanted["packages"], engine, sorted((spec or "").splitlines()), wanted["proof_extra"])
    # While the GPUs cannot be described there is nothing to prove: the readiness check judges them.
    seen["proven"] = seen["cdi"]["state"] != "fresh" or (read(wanted["proof"]) or "").startswith(seen["key"])
    return seen


def main() -> None:
    """Look, and print what was seen or why it could not be."""
    try:
        seen = look(json.loads(sys.argv[1]))
    except ValueError as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
