"""`nvidia-ctk`: the command line of the real tool, as far as Docker and CDI need it."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import engine, nvml, spec, yaml
from .logrus import say
from .version import VERSION

SPEC_DIRS = ("/etc/cdi", "/var/run/cdi")


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    if not hasattr(options, "run"):
        _parser().print_help()
        return 0
    return int(options.run(options))


def configure(options: argparse.Namespace) -> int:
    if options.runtime != "docker":
        say("error", f"unrecognized runtime '{options.runtime}' (simulated: only docker is)")
        return 1
    try:
        config = _load(options.config)
    except ValueError as error:
        say("error", f"unable to load config for runtime docker: {error}")
        return 1
    config = engine.configure(
        config,
        name=options.nvidia_runtime_name,
        path=options.nvidia_runtime_path,
        set_as_default=options.set_as_default,
        cdi=options.cdi,
    )
    if options.dry_run:
        sys.stdout.write(f"{engine.dump(config)}\n")
        return 0
    options.config.parent.mkdir(parents=True, exist_ok=True)
    options.config.write_text(engine.dump(config), encoding="utf-8")
    say("info", f"Wrote updated config to {options.config}")
    say("info", "It is recommended that docker daemon be restarted.")
    return 0


def _load(path: Path) -> engine.Config:
    if not path.exists():
        say("info", "Config file does not exist; using empty config")
        return {}
    say("info", f"Loading config from {path}")
    return engine.load(path.read_text(encoding="utf-8"))


def generate(options: argparse.Namespace) -> int:
    say("info", "Auto-detected mode as 'nvml'")
    strategies = tuple(options.device_name_strategy or ("index", "uuid"))
    try:
        content = spec.generate(strategies)
    except nvml.NvmlError as error:
        step = "failed to create device CDI specs: failed to construct device spec generators"
        say("error", f"failed to generate CDI spec: {step}: {error}")
        return 1
    except (OSError, ValueError) as error:
        say("error", f"failed to generate CDI spec: {error}")
        return 1
    as_json = options.output.endswith(".json") or options.format == "json"
    text = json.dumps(content, separators=(",", ":")) if as_json else yaml.dump(content)
    if options.output:
        _replace(Path(options.output), text)
    else:
        sys.stdout.write(text)
    say("info", f"Generated CDI spec with version {content['cdiVersion']}")
    return 0


def _replace(path: Path, text: str) -> None:
    """Whoever reads the file at the same time sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False, encoding="utf-8") as file:
        file.write(text)
    fresh = Path(file.name)
    fresh.chmod(0o644)
    fresh.replace(path)


def list_devices(options: argparse.Namespace) -> int:
    files = [path for directory in options.spec_dir or SPEC_DIRS for kind in ("*.yaml", "*.json") for path in Path(directory).glob(kind)]
    names = {name for path in files for name in device_names(path.read_text(encoding="utf-8"))}
    say("info", f"Found {len(names)} CDI devices")
    sys.stdout.write("".join(f"{name}\n" for name in sorted(names)))
    return 0


def device_names(text: str) -> set[str]:
    """The qualified names of the devices in a specification as this tool writes it."""
    if text.startswith("{"):
        content = json.loads(text)
        return {f"{content['kind']}={device['name']}" for device in content["devices"]}
    kind = re.search(r"^kind: (\S+)$", text, re.MULTILINE)
    return {f"{kind.group(1)}={name}" for name in re.findall(r'^ {4}- name: "?([^"\n]+)"?$', text, re.MULTILINE)} if kind else set()


def accept(_options: argparse.Namespace) -> int:
    """What changes nothing on a node with simulated GPUs."""
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nvidia-ctk", allow_abbrev=False)
    # The real tool's second line names the commit that it was built from.
    parser.add_argument("--version", "-v", action="version", version="\n".join(version_lines()))
    parser.add_argument("--quiet", "-q", "--debug", "-d", action="store_true")
    parser.formatter_class = argparse.RawTextHelpFormatter
    commands = parser.add_subparsers()

    runtime = commands.add_parser("runtime", allow_abbrev=False).add_subparsers(required=True)
    command = runtime.add_parser("configure", allow_abbrev=False)
    command.add_argument("--runtime", default="docker")
    command.add_argument("--config", type=Path, default=Path("/etc/docker/daemon.json"))
    command.add_argument("--nvidia-runtime-name", default="nvidia")
    command.add_argument("--nvidia-runtime-path", "--runtime-path", default="nvidia-container-runtime")
    _flag(command, "--dry-run")
    _flag(command, "--set-as-default", "--nvidia-set-as-default")
    _flag(command, "--cdi.enabled", "--cdi.enable", "--enable-cdi", dest="cdi")
    command.set_defaults(run=configure)

    cdi = commands.add_parser("cdi", allow_abbrev=False).add_subparsers(required=True)
    command = cdi.add_parser("generate", allow_abbrev=False)
    command.add_argument("--output", default=os.environ.get("NVIDIA_CTK_CDI_OUTPUT_FILE_PATH", ""))
    command.add_argument("--format", default="yaml", choices=["yaml", "json"])
    command.add_argument("--device-name-strategy", action="append")
    command.add_argument("--mode", "--discovery-mode", default="auto")
    command.set_defaults(run=generate)
    command = cdi.add_parser("list", allow_abbrev=False)
    command.add_argument("--spec-dir", action="append")
    command.set_defaults(run=list_devices)

    system = commands.add_parser("system", allow_abbrev=False).add_subparsers(required=True)
    for name, flags in {
        "create-device-nodes": ("--control-devices", "--load-kernel-modules"),
        "create-dev-char-symlinks": ("--create-all",),
    }.items():
        command = system.add_parser(name, allow_abbrev=False)
        for flag in flags:
            _flag(command, flag)
        command.set_defaults(run=accept)
    return parser


def version_lines() -> tuple[str, str]:
    return f"NVIDIA Container Toolkit CLI version {VERSION}", "commit: simulated"


def _flag(parser: argparse.ArgumentParser, *names: str, **more: Any) -> None:
    """A boolean as Go's flags have it: `--flag` or `--flag=false`."""
    parser.add_argument(*names, nargs="?", const=True, default=False, type=lambda text: text.lower() in ("1", "t", "true"), **more)
