"""`nvidia-ctk runtime configure`: Docker's daemon.json as the real tool edits it."""

from __future__ import annotations

import json
from typing import Any

Config = dict[str, Any]


def load(text: str) -> Config:
    """Decode the file's first value; raises ValueError with the words of Go's decoder."""
    if not text.strip():
        raise ValueError("EOF")
    try:
        config, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos :].strip()
        if not rest or error.msg.startswith("Unterminated"):
            raise ValueError("unexpected EOF") from None
        raise ValueError(f"invalid character '{rest[0]}' looking for beginning of value") from None
    if not isinstance(config, dict):
        kinds = {list: "array", str: "string", bool: "bool"}
        raise ValueError(f"json: cannot unmarshal {kinds.get(type(config), 'number')} into Go value of type docker.Config")  # noqa: TRY004
    return config


def configure(config: Config, *, name: str, path: str, set_as_default: bool, cdi: bool) -> Config:
    """Add the runtime. Like the real tool, enabling CDI forgets every other feature."""
    updated = {**config, "runtimes": {**config.get("runtimes", {}), name: {"path": path, "args": []}}}
    if set_as_default:
        updated["default-runtime"] = name
    if cdi:
        updated["features"] = {"cdi": True}
    return updated


def dump(config: Config) -> str:
    return json.dumps(config, indent=4, sort_keys=True, ensure_ascii=False)
