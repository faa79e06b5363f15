"""The script that reads what decides a node's image."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

ROLE = Path(__file__).parents[4] / "roles/pytorch_image"
SCRIPT = ROLE / "files/look.py"
specification = importlib.util.spec_from_file_location("pytorch_image_look", SCRIPT)
look = importlib.util.module_from_spec(specification)
specification.loader.exec_module(look)

# Printed by Docker 20.10.24: one image with a tag, the same digest without one, and one that was built here.
LISTING = """\
{"Containers":"N/A","Digest":"sha256:84056a3b","ID":"sha256:bbc0e4a4","Repository":"r:5000/p/p","Tag":"2.7.1-cpu"}
{"Containers":"N/A","Digest":"sha256:84056a3b","ID":"sha256:bbc0e4a4","Repository":"r:5000/p/p","Tag":"<none>"}

{"Containers":"N/A","Digest":"<none>","ID":"sha256:00c0e4a4","Repository":"mine","Tag":"1"}
"""


def test_images() -> None:
    assert look.parse_images(LISTING) == [
        {"repository": "r:5000/p/p", "tag": "2.7.1-cpu", "id": "sha256:bbc0e4a4", "digest": "sha256:84056a3b"},
        {"repository": "r:5000/p/p", "tag": "", "id": "sha256:bbc0e4a4", "digest": "sha256:84056a3b"},
        {"repository": "mine", "tag": "1", "id": "sha256:00c0e4a4", "digest": ""},
    ]
    assert look.parse_images("") == []


def test_the_images_of_the_repository_and_the_names_of_all(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\ncat <<'END'\n{LISTING}END\n")
    docker.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "r:5000/p/p", str(tmp_path / "none.json")],
        env={"PATH": f"{tmp_path}:/bin:/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    assert [image["tag"] for image in seen["images"]] == ["2.7.1-cpu", ""]
    assert seen["names"] == ["mine:1", "r:5000/p/p:2.7.1-cpu"]


def test_a_node_without_anything_is_seen_as_such(tmp_path: Path) -> None:
    """No engine, no driver, nothing remembered; the script comes on standard input, as on a node."""
    done = subprocess.run(
        [sys.executable, "-", "pytorch/pytorch", str(tmp_path / "none.json")],
        input=SCRIPT.read_text(),
        env={"PATH": str(tmp_path), "LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    assert seen["images"] == seen["names"] == []
    assert seen["verified"] == {}
    assert seen["gpus"]["capabilities"] == []
    assert seen["gpus"]["problem"]


def test_what_was_remembered(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text('{"id": "sha256:1", "contents": {"torch": "2.7.1"}}')
    assert look.read_verified(str(state))["id"] == "sha256:1"
    state.write_text("not JSON")
    assert look.read_verified(str(state)) == {}


def test_an_engine_that_is_stopped_has_no_images(tmp_path: Path, monkeypatch: object) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert look.read_images() == []
