"""What a bundle says of itself: the one document that is signed, and that vouches for every other file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

FORMAT = 1


@dataclass(frozen=True)
class File:
    """A file of the bundle."""

    sha256: str
    size: int


@dataclass(frozen=True)
class SystemPart:
    """What the bundle has for the nodes of one system and architecture."""

    repository: str  # a tar file: packages, their signed index, and the keys of the repositories that they came from
    has: dict[str, str]  # variable of a role -> what the bundle has for it
    pins: tuple[str, ...]  # those of them that a node takes from the bundle where the inventory says nothing
    keys: dict[str, str]  # variable that names where a key is fetched -> the key's file in the tar file
    packages: tuple[str, ...]  # name=version


@dataclass(frozen=True)
class Image:
    """The PyTorch image, as an archive for `docker load`."""

    archive: str
    id: str
    digests: tuple[str, ...]  # by which a registry knows it
    has: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """The whole."""

    toolkit: str
    made: str
    systems: dict[str, SystemPart]
    image: Image | None = None
    files: dict[str, File] = field(default_factory=dict)
    format: int = FORMAT

    def dump(self) -> bytes:
        """Write it down."""
        return (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read what `dump` wrote."""
        try:
            given: dict[str, Any] = json.loads(data)
            if given["format"] != FORMAT:
                raise Refusal(
                    f"a bundle of format {given['format']}, made by toolkit {given['toolkit']}",
                    f"format {FORMAT}",
                    "make the bundle with the toolkit that uses it",
                )
            image = given["image"]
            return cls(
                toolkit=given["toolkit"],
                made=given["made"],
                systems={name: _system(part) for name, part in given["systems"].items()},
                image=Image(**{**image, "digests": tuple(image["digests"])}) if image else None,
                files={name: File(**entry) for name, entry in given["files"].items()},
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise Refusal(f"a manifest that cannot be read ({error!r})", "the one of a bundle", "make the bundle anew") from error


def _system(part: dict[str, Any]) -> SystemPart:
    return SystemPart(**{**part, "pins": tuple(part["pins"]), "packages": tuple(part["packages"])})
