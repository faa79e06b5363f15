"""A reading: one thing looked at on a node, with its value or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """Exactly one of a value, `unsupported` (this node has no such thing) and `unreadable` (it could not be told)."""

    state: str
    content: Any

    @classmethod
    def of(cls, value: T) -> Reading[T]:
        """Make a reading that has a value."""
        return cls("value", value)

    @classmethod
    def unsupported(cls, why: str) -> Reading[T]:
        """Make a reading of something that this node or GPU does not have."""
        return cls("unsupported", why)

    @classmethod
    def unreadable(cls, why: str) -> Reading[T]:
        """Make a reading that failed: nothing is known."""
        return cls("unreadable", why)

    @property
    def is_known(self) -> bool:
        """Whether there is a value."""
        return self.state == "value"

    @property
    def is_unsupported(self) -> bool:
        """Whether the node has no such thing."""
        return self.state == "unsupported"

    @property
    def is_unreadable(self) -> bool:
        """Whether nothing is known."""
        return self.state == "unreadable"

    @property
    def value(self) -> T:
        """The value; asking for it where there is none is a bug of the caller, and says so."""
        if not self.is_known:
            raise ValueError(f"no value here: {self.state}: {self.content}")
        return self.content  # type: ignore[no-any-return]

    @property
    def why(self) -> str:
        """The reason why there is no value."""
        return "" if self.is_known else str(self.content)
