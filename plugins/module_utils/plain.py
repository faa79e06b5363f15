"""Frozen dataclasses to plain JSON data and back, so that an observation can be stored, sent and replayed."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

D = TypeVar("D")


def to_plain(thing: Any) -> Any:
    """Turn dataclasses, readings and tuples into dictionaries, lists and scalars."""
    if isinstance(thing, Reading):
        return {thing.state: to_plain(thing.content)}
    if dataclasses.is_dataclass(thing):
        return {field.name: to_plain(getattr(thing, field.name)) for field in dataclasses.fields(thing)}
    if isinstance(thing, (list, tuple)):
        return [to_plain(item) for item in thing]
    if isinstance(thing, Mapping):
        return {str(key): to_plain(item) for key, item in thing.items()}
    return thing


def from_plain(kind: type[D], data: Any) -> D:
    """Rebuild an object of `kind`; what has another shape raises ValueError.

    A reading that is absent, or whose value is of another type, is unreadable.
    """
    built: D = _build(kind, data)
    return built


def _build(kind: Any, data: Any) -> Any:
    origin = typing.get_origin(kind) or kind
    arguments = typing.get_args(kind)
    if origin is Reading:
        return _reading(arguments[0] if arguments else Any, data)
    if origin is tuple:
        return tuple(_build(arguments[0], item) for item in _expect(list, data))
    if origin is dict:
        return {key: _build(arguments[1], item) for key, item in _expect(dict, data).items()}
    if dataclasses.is_dataclass(kind):
        return _record(kind, _expect(dict, data))
    return data if kind is Any else _scalar(kind, data)


def _record(kind: Any, data: Mapping[str, Any]) -> Any:
    hints = _hints(kind)
    absent = [name for name in hints if name not in data and typing.get_origin(hints[name]) is not Reading]
    if absent:
        raise ValueError(f"{kind.__name__}: found {', '.join(data) or 'nothing'}, expected also {', '.join(absent)}")
    return kind(**{name: _build(hint, data.get(name)) for name, hint in hints.items()})


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _reading(kind: Any, data: Any) -> Reading[Any]:
    if data is None:
        return Reading.unreadable("this record does not hold it")
    if isinstance(data, Mapping) and len(data) == 1:
        state, content = next(iter(data.items()))
        if state == "value":
            try:
                return Reading.of(_build(kind, content))
            except ValueError as error:
                return Reading.unreadable(str(error))
        if state in ("unsupported", "unreadable"):
            return Reading(state, str(content))
    raise ValueError(f"a reading is one of value, unsupported and unreadable; found {data!r}")


def _scalar(kind: Any, data: Any) -> Any:
    fits = isinstance(data, (int, float)) if kind is float else isinstance(data, kind)
    if not fits or (isinstance(data, bool) and kind is not bool):
        raise ValueError(f"found {data!r}, expected a value of type {kind.__name__}")
    return data


def _expect(kind: Any, data: Any) -> Any:
    if not isinstance(data, kind):
        raise ValueError(f"found {data!r}, expected a {kind.__name__}")  # noqa: TRY004 - one exception for foreign data
    return data
