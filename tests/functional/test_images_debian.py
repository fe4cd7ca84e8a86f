# SPDX-License-Identifier: BSD-2-Clause
"""The image composer: Debian's packages, the initramfs and a boot of it, manifest and SBOM."""

import gzip
import json
import os
import re
import subprocess

import pexpect
import pytest

from composing import TREE, board, composed, refused  # first: the modules below are found by it
import debian
import elf
import initramfs
import malta
import spdx
from files import InputError, sha256

PROMPT = "~ # "


# --- initramfs


def cpio_entries(data):
    """{name: (mode, owner, mtime, contents)} of a newc archive."""
    entries, at = {}, 0
    while True:
        assert data[at : at + 6] == b"070701"
        field = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110 : at + 110 + field[11] - 1].decode()
        start = (at + 110 + field[11] + 3) & ~3
        if name == "TRAILER!!!":
            return entries
        entries[name] = (field[1], field[2], field[5], data[start : start + field[6]], (field[9], field[10]))
        at = (start + field[6] + 3) & ~3


def test_initramfs_has_what_a_boot_needs_and_nothing_of_this_machine():
    packed = initramfs.build(b"BUSYBOX")
    assert packed == initramfs.build(b"BUSYBOX")
    assert packed[4:8] == bytes(4), "gzip header must not hold a time"
    entries = cpio_entries(gzip.decompress(packed))
    assert list(entries) == sorted(entries)
    assert all(entry[1:3] == (0, 0) for entry in entries.values())
    assert entries["dev/console"][0] == 0o020600 and entries["dev/console"][4] == (5, 1)
    assert entries["bin/busybox"][3] == b"BUSYBOX" and entries["bin/busybox"][0] == 0o100755
    assert entries["init"][0] == 0o100755 and entries["init"][3].startswith(b"#!/bin/sh\n")
    assert entries["sbin/init"][3] == b"../bin/busybox" and entries["sbin/init"][0] == 0o120777
    assert entries["etc/init.d/rcS"][0] == 0o100755 and entries["etc/inittab"][0] == 0o100644


def test_initramfs_is_readable_by_cpio(tmp_path):
    (tmp_path / "a").write_bytes(gzip.decompress(initramfs.build(b"BUSYBOX")))
    with open(tmp_path / "a", "rb") as file:
        done = subprocess.run(["cpio", "-t"], stdin=file, capture_output=True, text=True, check=True)
    assert "bin/busybox" in done.stdout.splitlines()


# --- packages


ONE_LINE = """# a comment
deb [arch=amd64 signed-by=/k/a.gpg,/k/b.gpg] http://mirror/debian bookworm main contrib # end
deb http://mirror/debian-security bookworm-security main
deb-src http://mirror/debian bookworm main
deb http://other/debian-tool stable tool
"""
DEB822 = """Types: deb deb-src
# a comment
URIs: http://mirror/debian
Suites: trixie trixie-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://mirror/debian-security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://disabled/debian
Suites: bookworm
Components: main
"""


def sources(tmp_path, name, text):
    """Stanzas of the sources made from a system file."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    return list(debian.stanzas(debian.sources_for("bookworm", [str(tmp_path / name)])))


def test_one_line_sources(tmp_path):
    main, security = sources(tmp_path, "sources.list", ONE_LINE)
    assert (main["uris"], main["suites"], main["components"]) == ("http://mirror/debian", "bookworm bookworm-updates", "main")
    assert main["signed-by"] == "/k/a.gpg /k/b.gpg"
    assert "architectures" not in main and "trusted" not in main
    assert (security["uris"], security["suites"]) == ("http://mirror/debian-security", "bookworm-security")


def test_deb822_sources_of_a_newer_release(tmp_path):
    main, security = sources(tmp_path, "debian.sources", DEB822)
    assert main["suites"] == "bookworm bookworm-updates"
    assert "BEGIN PGP" in main["signed-by"] and "\n .\n" in main["signed-by"]
    assert security["suites"] == "bookworm-security"


def test_system_without_debian_mirror_is_refused(tmp_path):
    with pytest.raises(InputError, match="no Debian mirror .* IMAGES_SOURCES="):
        sources(tmp_path, "x.list", "deb http://example/ubuntu jammy main\n")


PIN = {"package": "busybox-static", "version": "1:1", "sha256": "0" * 64}
VIRT = {"MACHINE_VIRT": True, "IMAGE_DEBIAN_VIRT": True, "IMAGE_UNPACK": True, "GUEST_CMDLINE": "console=ttyS0,115200 earlycon nokaslr"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no such lock file; make lock writes it"),
        ("nonsense", "not a lock file; make lock writes one"),
        ("[]", "not a lock file; make lock writes one"),
        ('{"busybox-static": {"package": "x", "version": "1", "sha256": "12"}}', "not a lock file"),
        (json.dumps({"busybox-static": PIN}), "does not name linux-image-mips64r2el; add it with make lock"),
    ],
)
def test_bad_locks_are_refused(tmp_path, text, reason):
    if text is not None:
        (tmp_path / "lock").write_text(text, encoding="utf-8")
    line = refused(tmp_path, "--lock", str(tmp_path / "lock"), **VIRT)
    assert line.startswith(f"images: {tmp_path}/lock: ") and reason in line


@pytest.fixture(name="virt", scope="module")
def virt_fixture(tmp_path_factory):
    """Folder with the composed payload of debian-virt, and the lock that this wrote."""
    folder = tmp_path_factory.mktemp("virt")
    composed(folder, "--lock", str(folder / "lock"), "--write-lock", **VIRT)
    return folder


def test_debian_kernel_is_the_newest_and_unpacked(virt):
    parts = {part["kind"]: part for part in json.loads((virt / "payload/payload.json").read_text(encoding="utf-8"))["parts"]}
    name = parts["kernel"]["package"]
    assert re.fullmatch(r"linux-image-6\.1\.0-\d+-mips64r2el", name)
    assert parts["kernel"]["name"] == name.replace("linux-image", "vmlinux")
    assert re.fullmatch("[0-9a-f]{64}", parts["kernel"]["package_sha256"])
    made = elf.parse("k", (virt / "payload/kernel").read_bytes(), False, board("virt"))
    assert made.gpa_low == 0x100000
    if parts["kernel"]["version"] == "6.1.176-1":
        assert made.entry == 0xFFFFFFFF80B73C08
        assert made.segments[0].filesz == 0x11923D0
        assert made.gpa_high == 0x1311A30, "end of the bss that the kernel's entry code clears"


def test_lock_pins_and_needs_no_network_when_all_is_cached(virt, tmp_path):
    nowhere = tmp_path / "none.sources"
    nowhere.write_text("Types: deb\nURIs: http://127.0.0.1:9/debian\nSuites: bookworm\nComponents: main\n", encoding="utf-8")
    composed(tmp_path, "--lock", str(virt / "lock"), env={"IMAGES_SOURCES": str(nowhere)}, **VIRT)
    assert (tmp_path / "payload/payload.json").read_bytes() == (virt / "payload/payload.json").read_bytes()


def test_building_again_needs_no_network(virt, tmp_path):
    nowhere = tmp_path / "none.sources"
    nowhere.write_text("Types: deb\nURIs: http://127.0.0.1:9/debian\nSuites: bookworm\nComponents: main\n", encoding="utf-8")
    before = (virt / "payload/payload.json").read_bytes()
    composed(virt, env={"IMAGES_SOURCES": str(nowhere)}, **VIRT)
    assert (virt / "payload/payload.json").read_bytes() == before


def test_lock_with_another_hash_is_refused(virt, tmp_path):
    pins = json.loads((virt / "lock").read_text(encoding="utf-8"))
    real = pins["busybox-static"]["sha256"]
    pins["busybox-static"]["sha256"] = "0" * 64
    (tmp_path / "lock").write_text(json.dumps(pins), encoding="utf-8")
    line = refused(tmp_path, "--lock", str(tmp_path / "lock"), **VIRT)
    assert f"has SHA-256 {real}, not {'0' * 64}" in line and "make lock" in line


def test_lock_with_a_version_that_is_gone_is_refused(virt, tmp_path):
    pins = json.loads((virt / "lock").read_text(encoding="utf-8"))
    pins["busybox-static"] |= {"sha256": "1" * 64, "version": "1:0.1-1"}
    (tmp_path / "lock").write_text(json.dumps(pins), encoding="utf-8")
    line = refused(tmp_path, "--lock", str(tmp_path / "lock"), **VIRT)
    assert "cannot get busybox-static as busybox-static 1:0.1-1" in line and f"{'1' * 64}.deb" in line


def test_mirror_that_does_not_answer_is_one_line(tmp_path):
    (tmp_path / "s.sources").write_text("Types: deb\nURIs: http://127.0.0.1:9/debian\nSuites: bookworm\nComponents: main\n", encoding="utf-8")
    line = refused(tmp_path, cache=tmp_path / "cache", env={"IMAGES_SOURCES": str(tmp_path / "s.sources")}, **VIRT)
    assert "apt-get failed:" in line and "127.0.0.1" in line


def test_archive_without_valid_signature_is_refused(tmp_path):
    """An archive that no keyring of the system has signed must not be used."""
    archive = tmp_path / "debian"
    folder = archive / "dists/bookworm/main/binary-mips64el"
    folder.mkdir(parents=True)
    (folder / "Packages").write_text("Package: busybox-static\nVersion: 9\nArchitecture: mips64el\n", encoding="utf-8")
    digest = sha256((folder / "Packages").read_bytes())
    (archive / "dists/bookworm/Release").write_text(
        "Origin: Debian\nSuite: bookworm\nCodename: bookworm\nArchitectures: mips64el\nComponents: main\nDate: Sat, 01 Jan 2022 00:00:00 UTC\n"
        f"SHA256:\n {digest} {(folder / 'Packages').stat().st_size} main/binary-mips64el/Packages\n", encoding="utf-8")  # fmt: skip
    (tmp_path / "s.list").write_text(f"deb [trusted=yes] file:{archive} bookworm main\n", encoding="utf-8")
    line = refused(tmp_path, cache=tmp_path / "cache", env={"IMAGES_SOURCES": str(tmp_path / "s.list")}, **VIRT)
    assert "is not signed" in line or "Release" in line, line


# --- manifest


def test_manifest_and_sbom(virt, tmp_path):
    (tmp_path / "husk").write_bytes(b"image")
    command = ["/usr/bin/python3", str(TREE / "images/manifest.py"), "--config", virt / ".config", "--payload", virt / "payload/payload.json",
               "--image", tmp_path / "husk", "--husk-version", "0.1", "--core-digest", "c" * 64, "--compiler", "gcc",
               "--libc", f"picolibc,1.8.10,{'a' * 64}", "--out", tmp_path / "m.json", "--spdx", tmp_path / "s.json"]  # fmt: skip
    env = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"}
    subprocess.run(command, check=True, env=env)
    first = (tmp_path / "m.json").read_bytes(), (tmp_path / "s.json").read_bytes()
    subprocess.run(command, check=True, env=env)
    assert first == ((tmp_path / "m.json").read_bytes(), (tmp_path / "s.json").read_bytes())
    manifest = json.loads(first[0])
    assert manifest["image"] == {"file": "husk", "size": 5, "sha256": sha256(b"image")}
    assert manifest["configuration"]["MACHINE_VIRT"] is True and manifest["core_digest"] == "c" * 64
    assert str(tmp_path) not in first[0].decode() and str(TREE) not in first[0].decode()
    check_spdx(json.loads(first[1]), manifest)


def check_spdx(document, manifest):
    """The rules of SPDX 2.3 that apply to what is in the document."""
    assert document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0"
    assert document["SPDXID"] == "SPDXRef-DOCUMENT" and re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", document["documentNamespace"])
    assert document["creationInfo"]["created"] == "1970-01-01T00:00:00Z"
    identifiers = [package["SPDXID"] for package in document["packages"]]
    assert len(set(identifiers)) == len(identifiers)
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i) for i in identifiers)
    known = {*identifiers, "SPDXRef-DOCUMENT"}
    for relation in document["relationships"]:
        assert relation["spdxElementId"] in known and relation["relatedSpdxElement"] in known
    for package in document["packages"]:
        assert package["downloadLocation"] and package["filesAnalyzed"] is False
        for checksum in package.get("checksums", []):
            assert checksum["algorithm"] == "SHA256" and re.fullmatch("[0-9a-f]{64}", checksum["checksumValue"])
    hashes = {c["checksumValue"] for p in document["packages"] for c in p.get("checksums", [])}
    for part in manifest["payload"]["parts"]:
        assert part["sha256"] in hashes
    assert {p["name"] for p in document["packages"]} >= {"picolibc", "busybox-static", "busybox"}


def test_sbom_takes_its_date_from_source_date_epoch(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    manifest = {"name": "x", "husk": "1", "image": {"file": "husk", "sha256": "0" * 64}, "compiler": "gcc 12", "core_digest": "",
                "source": {"sha256": ""}, "libc": {"name": "l", "version": "1", "sha256": "0" * 64}, "payload": {"parts": []}}  # fmt: skip
    assert spdx.document(manifest)["creationInfo"]["created"] == "1970-01-02T00:00:00Z"


# --- the initramfs, booted


@pytest.fixture(name="guest")
def guest_fixture(virt, tmp_path):
    """A shell in the payload, on QEMU's malta board."""
    argv = malta.qemu_argv(virt / "payload", tmp_path)
    child = pexpect.spawn(argv[0], argv[1:], timeout=120, encoding="utf-8", codec_errors="replace")
    child.expect_exact("Welcome to Linux")
    child.expect_exact(PROMPT)
    yield child
    child.close(force=True)


def say(child, command):
    """Output of a shell command."""
    child.sendline(command + "; echo done-$((1+1))")
    child.expect_exact("done-2")
    output = child.before
    child.expect_exact(PROMPT)
    return output


def test_initramfs_boots_to_a_shell_with_job_control(guest):
    assert "/dev/ttyS0" in say(guest, "tty")
    assert "root" in say(guest, "whoami")
    assert "husk" in say(guest, "hostname")
    mounts = say(guest, "cat /proc/mounts")
    assert all(f" {path} " in mounts for path in ("/proc", "/sys", "/dev", "/dev/pts", "/tmp"))
    guest.sendline("sh -c 'echo ready-$((1+1)); exec sleep 1000'")
    guest.expect_exact("ready-2")
    guest.sendcontrol("c")
    guest.expect_exact(PROMPT, timeout=20)
    guest.sendline("sh -c 'echo ready-$((1+1)); exec cat'")
    guest.expect_exact("ready-2")
    guest.sendcontrol("z")
    guest.expect("Stopped")
    guest.expect_exact(PROMPT)
    assert "Stopped" in say(guest, "jobs")
    say(guest, "kill -9 %%; wait")
    guest.sendline("exit")
    guest.expect_exact("built-in shell", timeout=20)
    guest.expect_exact(PROMPT)


def test_reboot_and_poweroff_work_as_typed(guest):
    guest.sendline("reboot")
    guest.expect_exact("Restarting system")
    guest.expect_exact("Welcome to Linux")
    guest.expect_exact(PROMPT)
    guest.sendline("poweroff")
    guest.expect_exact("Requesting system poweroff")
