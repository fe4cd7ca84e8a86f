# SPDX-License-Identifier: BSD-2-Clause
"""Debian's own programs: fetched for the guest and for the build host, and the guest's initial RAM disk with them."""

import os
import stat
import sys
import tomllib
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "images"))
import debian  # noqa: E402  pylint: disable=wrong-import-position
import initramfs  # noqa: E402  pylint: disable=wrong-import-position
import modules  # noqa: E402,F401  pylint: disable=wrong-import-position,unused-import

RECIPE = TREE / "images/recipes/debian-virt.toml"
PACKAGES = ("libc6", "libssl3", "openssl", "liblzma5", "xz-utils", "gzip", "zlib1g", "libexpat1", "libpython3.11-minimal",
            "python3.11-minimal", "rt-tests")
PATHS = {"openssl": "usr/bin/openssl", "xz": "usr/bin/xz", "gzip": "bin/gzip", "python3": "usr/bin/python3.11",
         "hackbench": "usr/bin/hackbench"}
PROGRAM_FOLDERS = ("bin", "sbin", "usr/bin", "usr/sbin")
#: not needed to run PATHS
LEFT_OUT = ("usr/share", "gconv", "engines-3", "ossl-modules", "systemd")
#: the program of the item python3, here and in the guest
LOOP_SOURCE, LOOP = TREE / "tests/bench/program/loop.py", "usr/lib/bench/loop.py"


def fetch(cache, architecture, out, packages=PACKAGES):
    """Unpacks packages of an architecture into the folder out/ARCHITECTURE; returns it and {package: version}."""
    with open(RECIPE, "rb") as file:
        recipe = tomllib.load(file)
    folder = Path(out) / architecture
    archive = debian.Archive(cache, recipe["suite"], architecture, str(Path(out) / f"{architecture}.json"))
    found = [archive.deb(package) for package in packages]
    archive.save_pins()
    debian.unpack(found, folder)
    return folder, {pin["package"]: pin["version"] for pin, _ in found}


def busybox(cache, out):
    """Bytes of the busybox that the recipe names."""
    with open(RECIPE, "rb") as file:
        recipe = tomllib.load(file)
    archive = debian.Archive(cache, recipe["suite"], recipe["architecture"], str(Path(out) / "busybox.json"))
    data = archive.file(recipe["busybox"]["package"], recipe["busybox"]["file"])[2]
    archive.save_pins()
    return data


def _wanted(path, programs):
    """Whether a file of the packages is needed in the guest, for programs by their path."""
    if set(LEFT_OUT) & set(path.parts) or str(path).startswith("usr/share/"):
        return False
    return str(path.parent) not in PROGRAM_FOLDERS or str(path) in programs


def unpacked(folder, programs):
    """{path: (mode, bytes)} of programs and all libraries in a folder of unpacked packages."""
    files = {}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder)
        if path.is_symlink():
            content = (stat.S_IFLNK | 0o777, os.readlink(path).encode())
        elif path.is_file() and name.name != ".packages":
            content = (stat.S_IFREG | path.stat().st_mode & 0o777, path.read_bytes())
        else:
            continue
        if _wanted(name, programs):
            files[str(name)] = content
    return files


def guest_files(folder, bench):
    """{path: (mode, bytes)} of what the guest gets: programs and libraries in `folder`, and the benchmark program."""
    return unpacked(folder, PATHS.values()) | {
        "usr/bin/bench": (stat.S_IFREG | 0o755, Path(bench).read_bytes()),
        LOOP: (stat.S_IFREG | 0o644, LOOP_SOURCE.read_bytes())}


def initrd(cache, out, folder, bench):
    """Writes the guest's initial RAM disk to out/initrd.gz, unless it is there; returns its path."""
    path = Path(out) / "initrd.gz"
    data = initramfs.build(busybox(cache, out), more=guest_files(folder, bench))
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)
    return path
