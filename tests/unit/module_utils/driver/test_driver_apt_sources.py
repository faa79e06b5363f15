"""Components are added to the distribution's own sources, and to nothing else."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver.apt_sources import add_components, entries

LIST = "/etc/apt/sources.list"
DEB822 = "/etc/apt/sources.list.d/debian.sources"
WANTED = ["contrib", "non-free", "non-free-firmware"]
ADDED = "contrib non-free non-free-firmware"
MIRROR = "http://mirror.example/debian"
ARCHIVE = {(MIRROR, suite) for suite in ("bookworm", "bookworm-updates", "bookworm-security")}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"deb {MIRROR} bookworm main\n", f"deb {MIRROR} bookworm main {ADDED}\n"),
        (f"deb {MIRROR}/ bookworm main\n", f"deb {MIRROR}/ bookworm main {ADDED}\n"),
        (f"deb {MIRROR} bookworm main", f"deb {MIRROR} bookworm main {ADDED}"),
        (f"deb {MIRROR} bookworm main # ours\n", f"deb {MIRROR} bookworm main {ADDED} # ours\n"),
        (f"deb {MIRROR} bookworm main non-free\n", f"deb {MIRROR} bookworm main non-free contrib non-free-firmware\n"),
        (
            f"deb [arch=amd64 signed-by=/k.gpg] {MIRROR} bookworm main\n# deb {MIRROR} bookworm-updates main\n",
            f"deb [arch=amd64 signed-by=/k.gpg] {MIRROR} bookworm main {ADDED}\n# deb {MIRROR} bookworm-updates main\n",
        ),
        (
            f"deb {MIRROR} bookworm main\ndeb-src {MIRROR} bookworm main\ndeb {MIRROR} bookworm-updates main\n",
            f"deb {MIRROR} bookworm main {ADDED}\ndeb-src {MIRROR} bookworm main\ndeb {MIRROR} bookworm-updates main {ADDED}\n",
        ),
    ],
)
def test_one_line_sources(before: str, after: str) -> None:
    assert add_components({LIST: before}, ARCHIVE, WANTED) == {LIST: after}
    assert add_components({LIST: after}, ARCHIVE, WANTED) == {}


STANZA = """\
# The node's archive

Types: deb deb-src
# nearest
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main{0}
Signed-By: /usr/share/keyrings/archive.gpg

Enabled: no
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main

Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-security
components:
 main{0}
"""


def test_deb822_sources() -> None:
    after = STANZA.format(" " + ADDED)
    assert add_components({DEB822: STANZA.format("")}, ARCHIVE, WANTED) == {DEB822: after}
    assert add_components({DEB822: after}, ARCHIVE, WANTED) == {}


def test_deb822_value_over_several_lines_with_a_comment() -> None:
    before = "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents:\n main\n# ours\n contrib\nArchitectures: amd64"
    after = before.replace(" contrib\n", " contrib non-free non-free-firmware\n")
    assert entries(DEB822, before)[0].components == ["main", "contrib"]
    assert add_components({DEB822: before}, ARCHIVE, WANTED) == {DEB822: after}


def test_deb822_source_packages_only() -> None:
    text = "Types: deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n"
    assert add_components({DEB822: text}, ARCHIVE, WANTED) == {}


def test_other_sources_stay_even_if_they_look_like_the_archive() -> None:
    files = {LIST: f"deb {MIRROR} bookworm main {ADDED}\ndeb https://vendor.example bookworm main\n"}
    assert add_components(files, ARCHIVE, WANTED) == {}


def test_what_another_file_has_is_not_added_again() -> None:
    files = {LIST: f"deb {MIRROR} bookworm main\n", "/etc/apt/sources.list.d/non-free.list": f"deb {MIRROR} bookworm {ADDED}\n"}
    assert add_components(files, ARCHIVE, WANTED) == {}


def test_of_two_mirrors_one_gets_them() -> None:
    other = "http://other.example/debian"
    files = {LIST: f"deb {MIRROR} bookworm main\ndeb {other} bookworm main\n"}
    changed = add_components(files, {*ARCHIVE, (other, "bookworm")}, WANTED)[LIST]
    assert changed.count("contrib") == 1
    assert add_components({LIST: changed}, {*ARCHIVE, (other, "bookworm")}, WANTED) == {}


@pytest.mark.parametrize("uri", ["mirror+file:///etc/apt/mirrors/debian.list", "mirror+file:/etc/apt/mirrors/debian.list"])
def test_a_list_of_mirrors_is_the_archive_however_it_is_written(uri: str) -> None:
    """As Debian's images for clouds have it; apt itself says that it has one slash."""
    archive = {("mirror+file:/etc/apt/mirrors/debian.list", "bookworm")}
    text = f"Types: deb\nURIs: {uri}\nSuites: bookworm\nComponents: main\n"
    assert add_components({DEB822: text}, archive, WANTED) == {DEB822: text.replace("main", f"main {ADDED}")}


def test_a_mirror_with_a_password_is_the_archive() -> None:
    before = "deb http://joe:p%40ss@mirror.example/debian bookworm main\n"
    assert add_components({LIST: before}, ARCHIVE, WANTED) == {LIST: before.replace("main", f"main {ADDED}")}


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "deb\n", "deb http://mirror.example/debian\n", "Types: deb\n"])
def test_a_file_without_entries(text: str) -> None:
    assert add_components({LIST: text, DEB822: text}, ARCHIVE, WANTED) == {}
