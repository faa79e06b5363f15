"""The doubles of the driver's repositories are repositories: signed, complete, and of the names and moments that they are asked for."""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
from pathlib import Path

import pytest
from doubles.driver_packages import recipe, signing
from doubles.driver_packages.build import NAMES, build

KERNEL = recipe.Kernel("6.8.0-60-generic")
# What an Ubuntu or Debian node has by itself, or Debian's own archive.
FROM_ELSEWHERE = {"adduser", "dkms"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("doubles") / "out"
    assert all(build(name, out, KERNEL, "amd64", recipe.Moment()) > 150 for name in NAMES)
    return out


def packages(name: str, moment: recipe.Moment) -> dict[str, tuple[recipe.Package, ...]]:
    """By what one node sees: all suites of a release, or one folder."""
    seen: dict[str, tuple[recipe.Package, ...]] = {}
    for place, some in recipe.read(name, KERNEL, "amd64", moment).packages.items():
        release = place.split("-", maxsplit=1)[0]
        seen[release] = seen.get(release, ()) + some
    return seen


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("state", recipe.STATES)
def test_every_dependency_has_a_package(name: str, state: str) -> None:
    for place, some in packages(name, recipe.Moment(state)).items():
        there = {package.name for package in some} | FROM_ELSEWHERE
        there |= {word for package in some for word in re.findall(r"[a-z][\w.+-]+", package.control.get("Provides", ""))}
        for package in some:
            needed = {alternative.split()[0] for alternative in package.control.get("Depends", "").split(",") if alternative}
            assert needed <= there, (place, package.name, needed - there)


def test_packages_of_the_kernel_have_its_name_and_the_next_ones() -> None:
    names = {package.name for package in packages("ubuntu_archive", recipe.Moment())["jammy"]}
    assert {"linux-modules-nvidia-580-server-open-6.8.0-60-generic", "linux-modules-nvidia-580-server-generic"} <= names
    assert {"linux-image-6.8.0-60-generic", "linux-image-6.8.0-61-generic", "linux-image-generic"} <= names


def test_a_kernel_of_no_known_form_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found the kernel '6\.8', expected"):
        recipe.Kernel("6.8").values()


def test_a_vanished_driver_is_gone_and_a_later_one_comes_later() -> None:
    def versions(moment: recipe.Moment) -> set[str]:
        return {package.version for package in packages("nvidia_apt", moment)["ubuntu2404"] if package.name == "nvidia-utils-580"}

    assert versions(recipe.Moment()) == {"580.95.05-0ubuntu1", "580.126.20-1ubuntu1"}
    assert versions(recipe.Moment("later", frozenset({"580.95.05"}))) == {"580.126.20-1ubuntu1", "580.159.04-1ubuntu1"}


def test_dpkg_reads_what_was_written_without_it(built: Path) -> None:
    (file,) = built.glob("ubuntu_archive/pool/restricted/n/nvidia-utils-580-server/*580.126.09*22.04*.deb")
    fields = subprocess.run(["dpkg-deb", "--field", file], check=True, capture_output=True, text=True).stdout
    assert "Version: 580.126.09-0ubuntu0.22.04.1\n" in fields
    assert "Depends: nvidia-kernel-common-580-server-580.126.09, libnvidia-compute-580-server (>= 580.126.09)\n" in fields
    contents = subprocess.run(["dpkg-deb", "--contents", file], check=True, capture_output=True, text=True).stdout
    assert re.search(r"^-rwxr-xr-x root/root .* \./usr/bin/nvidia-smi$|^-rwxr-xr-x 0/0 .* \./usr/bin/nvidia-smi$", contents, re.MULTILINE)
    assert "README.double" in contents


def test_a_pinning_package_has_a_preferences_file_that_apt_reads(built: Path) -> None:
    (file,) = built.glob("nvidia_apt/repos/ubuntu2404/x86_64/nvidia-driver-pinning-590.48.01_*.deb")
    contents = subprocess.run(["dpkg-deb", "--contents", file], check=True, capture_output=True, text=True).stdout
    assert "./etc/apt/preferences.d/nvidia-driver-pinning-590.48.01.pref" in contents, "apt ignores names with dots, but for .pref"


@pytest.mark.parametrize(
    ("place", "index"),
    [("ubuntu_archive/dists/noble-updates", "restricted/binary-amd64/Packages"), ("nvidia_apt/repos/debian12/x86_64", "Packages")],
)
def test_the_release_file_vouches_for_the_index_and_the_index_for_the_packages(built: Path, place: str, index: str) -> None:
    data = (built / place / index).read_bytes()
    release = (built / place / "Release").read_text(encoding="utf-8")
    assert f" {hashlib.sha256(data).hexdigest()} {len(data)} {index}\n" in release
    assert gzip.decompress((built / place / f"{index}.gz").read_bytes()) == data
    root = built / "ubuntu_archive" if place.startswith("ubuntu") else built / place
    entries = re.findall(r"^Filename: (\S+)\nSize: (\d+)\nSHA256: (\w+)$", data.decode(), re.MULTILINE)
    assert len(entries) > 20
    for path, size, digest in entries:
        content = (root / path).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (int(size), digest)


def test_the_signature_is_of_the_key_that_is_published_and_a_rebuild_keeps_the_key(built: Path, tmp_path: Path) -> None:
    folder = built / "nvidia_apt" / "repos" / "ubuntu2204" / "x86_64"
    before = (built / "nvidia_apt" / "fingerprint.txt").read_text(encoding="ascii").strip()
    build("nvidia_apt", built, KERNEL, "amd64", recipe.Moment())
    assert (built / "nvidia_apt" / "fingerprint.txt").read_text(encoding="ascii").strip() == before
    ring = tmp_path / "ring.gpg"
    gpg = ["gpg", "--homedir", tmp_path, "--batch", "--quiet", "--no-default-keyring", "--keyring", ring]
    subprocess.run([*gpg, "--import", folder / "3bf863cc.pub"], check=True, capture_output=True)
    verified = subprocess.run([*gpg, "--status-fd", "1", "--verify", folder / "InRelease"], check=True, capture_output=True, text=True)
    assert f"VALIDSIG {before}" in verified.stdout


def test_each_repository_has_a_key_of_its_own(tmp_path: Path) -> None:
    with signing.key(tmp_path / "a.key", "A") as one, signing.key(tmp_path / "b.key", "B") as other:
        assert one.fingerprint != other.fingerprint
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", NAMES)
def test_every_family_says_where_it_was_read(name: str) -> None:
    data = recipe.yaml.safe_load((recipe.HERE / f"{name}.yml").read_text(encoding="utf-8"))
    assert all(family["source"] for family in data["families"].values())
    used = {entry["family"] for entries in data["publish"].values() for entry in entries}
    assert used == set(data["families"])
