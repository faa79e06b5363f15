"""apt's package sources, one-line and deb822: what they name, and adding the archive's components to them."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import without_credentials


class Entry(NamedTuple):
    """One line or stanza of a sources file, and where in the file its components end. A flat repository has none, and "/" as its suite."""

    end: int
    uris: list[str]
    suites: list[str]
    components: list[str]

    def places(self) -> set[tuple[str, str]]:
        """Return each (URI, suite) that it names, a flat repository's suite as nothing, which is what apt says of it."""
        return {(plain(uri), suite.strip("/")) for uri in self.uris for suite in self.suites}


def plain(uri: str) -> str:
    """Return a repository's address as apt itself says it.

    It names no user and password, and where there is no host, as in mirror+file:/etc/apt/mirrors/debian.list, no slashes for one.
    """
    return without_credentials(re.sub(r"^([a-z+]+):///", r"\1:/", uri)).rstrip("/")


def entries(path: str, text: str) -> list[Entry]:
    """Find the enabled entries for binary packages in a sources file."""
    return deb822_entries(text) if path.endswith(".sources") else one_line_entries(text)


def one_line_entries(text: str) -> list[Entry]:
    """Find them in lines such as "deb [signed-by=...] URI SUITE COMPONENT..."."""
    lines = re.finditer(r"^[ \t]*deb[ \t]+(?:\[[^\]\n]*\][ \t]+)?(\S+)[ \t]+(\S+)([^#\n]*)", text, re.MULTILINE)
    return [Entry(line.start(3) + len(line[3].rstrip()), [line[1]], [line[2]], line[3].split()) for line in lines]


def deb822_entries(text: str) -> list[Entry]:
    """Find them in stanzas of fields, whose values may go on over comments and indented lines."""
    found = []
    for stanza in re.finditer(r"(?:^[ \t]*[^\s].*\n?)+", text, re.MULTILINE):
        fields = re.finditer(r"^([A-Za-z-]+):(.*(?:\n(?:[ \t]+\S.*|#.*(?=\n[ \t])))*)", stanza[0], re.MULTILINE)
        ends, words = {}, {}
        for field in fields:
            name = field[1].lower()
            ends[name] = stanza.start() + field.end()
            words[name] = re.sub(r"(?m)^#.*$", "", field[2]).split()
        if "deb" in words.get("types", []) and words.get("enabled", ["yes"])[0].lower() not in {"no", "false", "0"}:
            end = ends.get("components", stanza.end())
            found.append(Entry(end, words.get("uris", []), words.get("suites", []), words.get("components", [])))
    return found


def add_components(files: dict[str, str], archive: set[tuple[str, str]], wanted: list[str]) -> dict[str, str]:
    """Add the wanted components to the archive's entries that have "main": path -> new text, of the files that change.

    An archive is the set of (URI, suite) that is the distribution's own. What another entry has for a suite is not added for it again.
    """
    known = [
        (path, entry, {suite for _, suite in entry.places() & archive})
        for path, text in sorted(files.items())
        for entry in entries(path, text)
    ]
    there = {(suite, component) for _, entry, suites in known for suite in suites for component in entry.components}
    changed: dict[str, str] = {}
    for path, entry, suites in reversed(known):
        missing = [component for component in wanted if any((suite, component) not in there for suite in suites)]
        if "main" in entry.components and missing:
            text = changed.get(path, files[path])
            changed[path] = " ".join([text[: entry.end], *missing]) + text[entry.end :]
            there |= {(suite, component) for suite in suites for component in missing}
    return changed
