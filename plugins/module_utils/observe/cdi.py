"""Reads the CDI specifications that tell container engines how to hand over NVIDIA's GPUs, and whether what they name exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import CdiSpec
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

KIND = "nvidia.com/gpu"
_SUFFIXES = (".yaml", ".json")
_LINE = re.compile(r"^\s*(?P<dash>-\s+)?(?:(?P<key>[A-Za-z]+):\s*)?(?P<value>.*?)\s*$")
_LIBRARY = re.compile(r"/lib(?:cuda|nvidia-ml)\.so\.(\d+\.\d+(?:\.\d+)?)$")
_GPU_NODE = re.compile(r"/dev/nvidia\d+$")  # perhaps below another root, where the driver comes in a container


class Named(NamedTuple):
    """What a specification names: its devices, and files and device nodes of the node."""

    kind: str
    devices: tuple[str, ...]
    paths: tuple[str, ...]


def observe(root: Path, folders: Iterable[str]) -> Reading[tuple[CdiSpec, ...]]:
    """Read the specifications of NVIDIA's GPUs, in the order of the folders: what a later folder says of a device holds."""
    found: list[CdiSpec] = []
    for folder in folders:
        place = root / folder.lstrip("/")
        try:
            paths = sorted(path for path in place.iterdir() if path.suffix in _SUFFIXES) if place.is_dir() else []
            for path in paths:
                named = parse(path.read_text(encoding="utf-8", errors="replace"))
                if named.kind == KIND:
                    found.append(_spec(root, f"{folder.rstrip('/')}/{path.name}", named))
        except OSError as error:
            return Reading.unreadable(f"{error.filename or place}: {error.strerror}")
        except ValueError as error:
            return Reading.unreadable(f"{place}: {error}")
    return Reading.of(tuple(found)) if found else Reading.unsupported(f"no CDI specification of {KIND} in {', '.join(folders)}")


def parse(text: str) -> Named:
    """Read a specification in JSON, or in the YAML that nvidia-ctk writes (a node need not have a parser of all YAML)."""
    if text.lstrip().startswith("{"):
        document = json.loads(text)
        kind, items = str(document.get("kind")), list(_objects(document))
    else:
        found = re.search(r"^kind:\s*[\"']?([^\"'\s]+)", text, re.MULTILINE)
        kind, items = found[1] if found else "", _yaml_items(text)
    devices = tuple(item["name"] for item in items if item.get("name"))
    paths = (item.get("hostPath") or item.get("path") or "" for item in items)
    return Named(kind, devices, tuple(dict.fromkeys(path for path in paths if path.startswith("/"))))


def _yaml_items(text: str) -> list[dict[str, str]]:
    """List what each list item says in `key: value` lines of its own."""
    items: list[dict[str, str]] = [{}]
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None or line.lstrip().startswith("#"):
            continue
        if found["dash"]:
            items.append({})
        if found["key"]:
            items[-1].setdefault(found["key"], found["value"].strip("\"'"))
    return items


def _objects(data: Any) -> Iterator[dict[str, str]]:
    """List the texts of all objects within."""
    if isinstance(data, dict):
        yield {key: value for key, value in data.items() if isinstance(value, str)}
    for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _objects(item)


def _spec(root: Path, path: str, named: Named) -> CdiSpec:
    versions = {found[1] for found in map(_LIBRARY.search, named.paths) if found}
    return CdiSpec(
        path=path,
        devices=named.devices,
        device_nodes=tuple(found[0] for found in map(_GPU_NODE.search, named.paths) if found),
        driver_versions=tuple(sorted(versions)),
        missing=tuple(name for name in named.paths if _is_missing(root / name.lstrip("/"))),
    )


def _is_missing(path: Path) -> bool:
    """Tell whether it is not there; what may not be looked at counts as there."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
