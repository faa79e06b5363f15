"""CDI edits applied to an OCI runtime's config.json, as `nvidia-container-runtime` applies them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
VARIABLE = "NVIDIA_VISIBLE_DEVICES"


class UnknownDeviceError(Exception):
    """A device was asked for that the specification lacks."""


def requested(config: Json) -> list[str] | None:
    """The device names that the container's environment asks for; None: leave the container as it is."""
    environment = dict(entry.partition("=")[::2] for entry in (config.get("process") or {}).get("env") or [])
    value = environment.get(VARIABLE, "").strip()
    if value in ("", "void"):
        return None
    if value == "none":
        return []
    return [name.strip().partition("=")[2] or name.strip() for name in value.split(",") if name.strip()]


def apply(config: Json, spec: Json, names: list[str]) -> Json:
    """The container's configuration with the named devices and what they all need."""
    devices = {device["name"]: device["containerEdits"] for device in spec["devices"]}
    unknown = [name for name in names if name not in devices]
    if unknown:
        raise UnknownDeviceError("unresolvable CDI devices " + ", ".join(f"{spec['kind']}={name}" for name in unknown))
    for edits in (spec["containerEdits"], *(devices[name] for name in names)):
        _edit(config, edits)
    return config


def _edit(config: Json, edits: Json) -> None:
    for node in edits.get("deviceNodes", []):
        _add_device(config.setdefault("linux", {}), node)
    process = config.setdefault("process", {})
    environment = dict(entry.partition("=")[::2] for entry in [*(process.get("env") or []), *edits.get("env", [])])
    process["env"] = [f"{name}={value}" for name, value in environment.items()]
    config["mounts"] = [*(config.get("mounts") or []), *map(_mount, edits.get("mounts", []))]
    hooks = config.get("hooks") or {}
    for hook in edits.get("hooks", []):
        entry = {key: hook[key] for key in ("path", "args", "env")}
        hooks[hook["hookName"]] = [*(hooks.get(hook["hookName"]) or []), entry]
    if hooks:
        config["hooks"] = hooks


def _mount(mount: Json) -> Json:
    return {"source": mount["hostPath"], "destination": mount["containerPath"], "type": "bind", "options": mount["options"]}


def _add_device(linux: Json, node: Json) -> None:
    device = {
        "path": node["path"],
        "type": "c",
        "major": node.get("major", 0),
        "minor": node.get("minor", 0),
        "fileMode": node.get("fileMode", 0),
        "uid": node.get("uid", 0),
        "gid": node.get("gid", 0),
    }
    rule = {"allow": True, "type": "c", "major": device["major"], "minor": device["minor"], "access": node.get("permissions", "rwm")}
    devices = [known for known in linux.get("devices") or [] if known["path"] != node["path"]]
    linux["devices"] = [*devices, device]
    resources = linux.setdefault("resources", {})
    resources["devices"] = [*(resources.get("devices") or []), rule]
