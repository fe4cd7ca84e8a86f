# SPDX-License-Identifier: BSD-2-Clause
"""The image composer: packages, unpacking, placement, device tree, what it refuses, and a boot of the initramfs."""

import gzip
import json
import lzma
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

import malta

TREE = Path(__file__).resolve().parents[2]
CACHE = os.environ.get("HUSK_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "husk")
sys.path.insert(0, str(TREE / "images"))
# pylint: disable=wrong-import-position
import debian  # noqa: E402
import dtb  # noqa: E402
import elf  # noqa: E402
import initramfs  # noqa: E402
import layout  # noqa: E402
import spdx  # noqa: E402
from files import InputError, sha256  # noqa: E402

MIB = 1 << 20
BASE = {"RAM_MB": 256, "COUNTER_HZ": 100000000, "VCPUS": 1, "GUEST_CMDLINE": "console=ttyS0 nokaslr"}
PROMPT = "~ # "


def write_config(folder, values):
    """A .config with these values."""
    text = ""
    for name, value in {**BASE, **values}.items():
        if value is False:
            text += f"# CONFIG_{name} is not set\n"
        else:
            quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else None
            text += f"CONFIG_{name}={'y' if value is True else quoted or value}\n"
    (folder / ".config").write_text(text, encoding="utf-8")


def compose(folder, *arguments, cache=CACHE, env=None, **values):
    """Runs the composer with these values of the configuration; returns the finished process."""
    write_config(folder, values)
    command = ["/usr/bin/python3", str(TREE / "images/compose.py"), "--config", str(folder / ".config"),
               "--gen", str(folder), "--out", str(folder / "payload"), "--cache", str(cache), *arguments]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})})


def composed(folder, *arguments, **values):
    """Runs the composer, which must succeed; returns payload.json with the parts by kind."""
    done = compose(folder, *arguments, **values)
    assert done.returncode == 0, done.stderr
    summary = json.loads((folder / "payload/payload.json").read_text(encoding="utf-8"))
    return {part["kind"]: part for part in summary["parts"]}


def refused(folder, *arguments, **values):
    """Runs the composer, which must refuse with one line; returns that line."""
    done = compose(folder, *arguments, **values)
    assert done.returncode == 1, done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("images: "), done.stderr
    return lines[0]


def kernel(order="<", load=0xFFFFFFFF80100000, size=0x3000, memsz=0x200000):
    """Bytes of a small kernel file."""
    return elf.build(order, 0x80000001, load + 0x100, load, bytes(range(256)) * (size // 256), memsz)


@pytest.fixture(name="custom")
def custom_fixture(tmp_path):
    """Values for the custom recipe on machine virt, with a good kernel at tmp_path/vmlinux."""
    (tmp_path / "vmlinux").write_bytes(kernel())
    return {"MACHINE_VIRT": True, "IMAGE_CUSTOM": True, "CUSTOM_KERNEL": str(tmp_path / "vmlinux")}


# --- a good custom payload


def test_custom_kernel_is_embedded_as_it_is(tmp_path, custom):
    parts = composed(tmp_path, **custom)
    assert sorted(parts) == ["cmdline", "dtb", "kernel"]
    assert (tmp_path / "payload/kernel").read_bytes() == kernel()
    assert parts["kernel"]["sha256"] == sha256(kernel())
    assert (tmp_path / "payload/cmdline").read_bytes() == b"console=ttyS0 nokaslr\0"


def test_device_tree_tells_memory_command_line_and_initrd(tmp_path, custom):
    (tmp_path / "initrd").write_bytes(b"x" * 5000)
    line = 'a="b c" d=\\x nokaslr'
    composed(tmp_path, **custom, CUSTOM_INITRD=str(tmp_path / "initrd"), GUEST_CMDLINE=line, RAM_MB=512)
    tree = (tmp_path / "payload/dtb").read_bytes()
    chosen = dtb.chosen("x", tree)
    assert chosen["bootargs"] == line.encode() + b"\0"
    assert dtb.number(chosen["linux,initrd-start"]) == 0x06000000
    assert dtb.number(chosen["linux,initrd-end"]) == 0x06000000 + 5000
    source = subprocess.run(["dtc", "-q", "-I", "dtb", "-"], input=tree, capture_output=True, check=True).stdout.decode()
    assert re.search(r"memory@0 {[^}]*reg = <0x00 0x10000000 0x90000000 0x10000000>", source)
    assert re.search(r"clock-frequency = <0xbebc200>", source)


def test_same_inputs_give_same_bytes_and_files_are_not_touched(tmp_path, custom):
    composed(tmp_path, **custom)
    before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in (tmp_path / "payload").iterdir()}
    composed(tmp_path, **custom)
    assert {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in (tmp_path / "payload").iterdir()} == before
    other = tmp_path / "other"
    other.mkdir()
    composed(other, **custom)
    assert {p.name: p.read_bytes() for p in (other / "payload").iterdir()} == {n: b for n, (_, b) in before.items()}


def test_generated_sources_name_no_folder(tmp_path, custom):
    composed(tmp_path, **custom)
    for name in ("payload.S", "payload_table.c", "payload.json"):
        assert str(tmp_path) not in (tmp_path / "payload" / name).read_text(encoding="utf-8")


def test_objects_link_with_every_part_on_a_page_of_its_own(tmp_path, custom):
    parts = composed(tmp_path, **custom)
    out = tmp_path / "payload"
    subprocess.run(["gcc", "-c", f"-Wa,-I,{out}", out / "payload.S", "-o", out / "payload.o"], check=True)
    subprocess.run(["gcc", "-c", "-Wall", "-Wextra", "-Werror", f"-I{TREE}/core/include", out / "payload_table.c", "-o", out / "table.o"], check=True)
    headers = subprocess.run(["objdump", "-h", out / "payload.o"], capture_output=True, text=True, check=True).stdout
    for kind, part in parts.items():
        found = re.search(rf" \.payload\.{kind}\s+(\w+) .* 2\*\*12\n\s+CONTENTS, ALLOC, LOAD, READONLY, DATA", headers)
        assert found, headers
        assert int(found[1], 16) == part["size"] + (kind == "cmdline")
    assert str(tmp_path).encode() not in (out / "payload.o").read_bytes()


def test_big_endian_kernel(tmp_path, custom):
    (tmp_path / "vmlinux").write_bytes(kernel(">"))
    composed(tmp_path, **custom, GUEST_BIG_ENDIAN=True)


# --- wrong kernels


def corrupt(offset, fmt, value):
    """The good kernel with one field of its ELF header replaced."""
    data = bytearray(kernel())
    struct.pack_into(fmt, data, offset, value)
    return bytes(data)


def x86_kernel():
    """A header as an x86-64 vmlinux has it."""
    return corrupt(18, "<H", 62)


@pytest.mark.parametrize(
    ("data", "reason", "remedy"),
    [
        (x86_kernel(), r"kernel for x86-64, but the board virt is MIPS", "name a MIPS64 kernel"),
        (corrupt(18, "<H", 183), r"kernel for AArch64", "name a MIPS64 kernel"),
        (kernel(">"), r"big-endian and the guest CPU little-endian", "GUEST_BIG_ENDIAN=y"),
        (corrupt(4, "<B", 1), r"32-bit ELF", "MIPS64 kernel"),
        (kernel()[:-1], r"truncated, \d+ bytes of at least \d+", "get the file again"),
        (kernel()[:100], r"truncated", "get the file again"),
        (kernel()[:30], r"truncated", "get the file again"),
        (kernel()[:6], r"truncated", "get the file again"),
        (b"", r"not an ELF file", "vmlinux"),
        (b"MZ" + bytes(1000), r"not an ELF file", "vmlinux"),
        (corrupt(16, "<H", 3), r"ELF type 3", "vmlinux"),
        (corrupt(16, "<H", 1), r"ELF type 1", "vmlinux"),
        (corrupt(24, "<Q", 0xFFFFFFFF90000000), r"entry point 0xffffffff90000000 is in no segment", "get it again"),
        (corrupt(54, "<H", 32), r"program headers of 32 bytes", "get it again"),
        (corrupt(56, "<H", 0), r"no segment to load", "vmlinux"),
        (corrupt(64 + 40, "<Q", 1), r"larger in the file than in memory", "get it again"),
        (corrupt(64 + 8, "<Q", 1 << 63), r"truncated", "get the file again"),
    ],
)
def test_wrong_kernels_are_refused(tmp_path, custom, data, reason, remedy):
    (tmp_path / "vmlinux").write_bytes(data)
    line = refused(tmp_path, **custom)
    assert re.search(r"^images: vmlinux: ", line) and re.search(reason, line) and remedy in line, line


def test_x86_kernel_for_octeon_is_refused(tmp_path):
    (tmp_path / "bzImage").write_bytes(x86_kernel())
    line = refused(tmp_path, MACHINE_OCTEON=True, IMAGE_CUSTOM=True, CUSTOM_KERNEL=str(tmp_path / "bzImage"))
    assert "bzImage: this is a kernel for x86-64, but the board octeon is MIPS" in line


def test_little_endian_kernel_for_big_endian_guest_is_refused(tmp_path, custom):
    assert "GUEST_BIG_ENDIAN=n" in refused(tmp_path, **custom, GUEST_BIG_ENDIAN=True)


@pytest.mark.parametrize("name", ["CUSTOM_KERNEL", "CUSTOM_INITRD", "CUSTOM_DTB"])
def test_missing_files_are_refused(tmp_path, custom, name):
    line = refused(tmp_path, **{**custom, name: str(tmp_path / "nowhere")})
    assert f"{tmp_path}/nowhere: cannot read the {name[7:].lower()} (No such file or directory)" in line


def test_no_kernel_is_refused(tmp_path, custom):
    assert "CUSTOM_KERNEL is not set" in refused(tmp_path, **{**custom, "CUSTOM_KERNEL": ""})


def test_recipe_for_another_board_is_refused(tmp_path):
    assert "is for the board octeon, not virt" in refused(tmp_path, MACHINE_VIRT=True, IMAGE_DEBIAN_OCTEON=True)


# --- placement


def test_kernel_on_reserved_memory_is_refused(tmp_path):
    (tmp_path / "k").write_bytes(kernel(load=0xFFFFFFFF80010000))
    line = refused(tmp_path, MACHINE_OCTEON=True, IMAGE_CUSTOM=True, CUSTOM_KERNEL=str(tmp_path / "k"))
    assert re.search(r"kernel k \(0x10000-0x210000\) overlaps exception vectors and boot descriptors", line)


def test_kernel_outside_of_ram_is_refused(tmp_path, custom):
    (tmp_path / "vmlinux").write_bytes(kernel(load=0xFFFFFFFF9F000000))
    assert "is not where the board virt has RAM" in refused(tmp_path, **custom)


def test_too_little_ram_says_how_much_is_needed_and_that_is_enough(tmp_path, custom):
    (tmp_path / "vmlinux").write_bytes(kernel(memsz=20 * MIB))
    line = refused(tmp_path, **custom, RAM_MB=32)
    found = re.search(r"RAM_MB=32 is too small for kernel on the board virt; set RAM_MB to at least (\d+)$", line)
    assert found, line
    composed(tmp_path, **custom, RAM_MB=int(found[1]))
    assert "too small" in refused(tmp_path, **custom, RAM_MB=int(found[1]) - 1)


def test_more_ram_than_the_board_holds_is_refused(tmp_path, custom):
    assert "holds at most 2048 MiB" in refused(tmp_path, **custom, RAM_MB=2049)


def test_huge_initrd_needs_more_ram_and_gets_it(tmp_path, custom):
    with open(tmp_path / "initrd", "wb") as file:
        file.truncate(100 * MIB)
    custom["CUSTOM_INITRD"] = str(tmp_path / "initrd")
    found = re.search(r"set RAM_MB to at least (\d+)$", refused(tmp_path, **custom, RAM_MB=128))
    parts = composed(tmp_path, **custom, RAM_MB=int(found[1]))
    taken = layout.Range(int(parts["initrd"]["gpa"], 16), int(parts["initrd"]["gpa"], 16) + 100 * MIB, "")
    tree = int(parts["dtb"]["gpa"], 16)
    assert not taken.overlaps(layout.Range(0, 0x300000, "")) and not taken.overlaps(layout.Range(tree, tree + parts["dtb"]["size"], ""))


def test_initrd_placed_on_the_kernel_is_refused(tmp_path, custom):
    (tmp_path / "initrd").write_bytes(b"x" * 0x1000)
    line = refused(tmp_path, **custom, CUSTOM_INITRD=str(tmp_path / "initrd"),
                   GUEST_CMDLINE="nokaslr rd_start=0xffffffff80200000 rd_size=0x1000")  # fmt: skip
    assert re.search(r"initrd: the initrd \(0x200000-0x201000\) overlaps kernel vmlinux \(0x100000-0x300000\); move|correct rd_start=", line), line


def test_initrd_in_the_kaslr_window_is_refused_unless_nokaslr(tmp_path, custom):
    (tmp_path / "initrd").write_bytes(b"x" * 0x1000)
    custom["CUSTOM_INITRD"] = str(tmp_path / "initrd")
    where = "rd_start=0x8000000001000000 rd_size=0x1000"
    assert "address randomisation" in refused(tmp_path, **custom, GUEST_CMDLINE=where)
    assert composed(tmp_path, **custom, GUEST_CMDLINE=where + " nokaslr")["initrd"]["gpa"] == "0x1000000"


def test_wrong_rd_size_and_rd_start_are_refused(tmp_path, custom):
    (tmp_path / "initrd").write_bytes(b"x" * 0x1000)
    custom["CUSTOM_INITRD"] = str(tmp_path / "initrd")
    assert "set rd_size=4096" in refused(tmp_path, **custom, GUEST_CMDLINE="nokaslr rd_start=0x81000000 rd_size=1")
    assert "must be numbers" in refused(tmp_path, **custom, GUEST_CMDLINE="nokaslr rd_start=there rd_size=1")
    assert "multiple of 0x1000" in refused(tmp_path, **custom, GUEST_CMDLINE="nokaslr rd_start=0x81000800 rd_size=0x1000")


def test_empty_initrd_is_refused(tmp_path, custom):
    (tmp_path / "initrd").write_bytes(b"")
    assert "the initrd is empty" in refused(tmp_path, **custom, CUSTOM_INITRD=str(tmp_path / "initrd"))


def board(name="octeon"):
    """The description of a board."""
    return layout.Board(name, TREE / f"features/machine-{name}/board.json")


def test_kaslr_window_is_the_one_that_the_kernel_computes():
    # MIPS-specific arithmetic of arch/mips/kernel/relocate.c, for Debian's 6.1.0-50-octeon.
    ranges = layout.kernel_ranges(board(), "k", [elf.Segment(0, 0, 0x1100000, 0, 0x11F38B0)], None, "console=ttyS0")
    assert ranges[1].end >= 0x44E38B0
    assert ranges[1].end < 0x44E38B0 + 0x20000


def test_initrd_goes_up_when_the_preferred_place_is_taken():
    busy = [layout.Range(0x1100000, 0x8000001, "kernel k")]
    assert layout.place(board(), 256, busy, layout.Initrd("i", 0x1000)).initrd == 0x8001000


def test_initrd_goes_down_when_ram_ends_below_the_preferred_place():
    placed = layout.place(board(), 100, [layout.Range(0x1100000, 0x2300000, "kernel k")], layout.Initrd("i", 0x1000))
    # Linux on Octeon takes memory in pieces of 4 MiB, and drops an initrd that is above the last one.
    assert placed.initrd == 95 * MIB - 0x1000


def test_initrd_that_fits_nowhere_is_refused():
    with pytest.raises(InputError, match="do not fit into the 5120 MiB"):
        layout.place(board(), 256, [layout.Range(0x1100000, 0x2300000, "kernel k")], layout.Initrd("i", 5000 * MIB))


# --- command lines and device trees


def test_long_command_line_is_refused(tmp_path, custom):
    assert "4097 characters, the kernel takes at most 4095; shorten it" in refused(tmp_path, **custom, GUEST_CMDLINE="x" * 4097)


@pytest.mark.parametrize("line", ["caf\u00e9", "a\tb"])
def test_command_line_with_odd_characters_is_refused(tmp_path, custom, line):
    assert "not printable ASCII" in refused(tmp_path, **custom, GUEST_CMDLINE=line)


def compile_tree(path, text):
    """Writes a compiled device tree."""
    done = subprocess.run(["dtc", "-q", "-O", "dtb", "-"], input=text.encode(), capture_output=True, check=True)
    path.write_bytes(done.stdout)
    return done.stdout


def test_custom_tree_is_passed_as_it_is(tmp_path, custom):
    blob = compile_tree(tmp_path / "my.dtb", "/dts-v1/; / { model = \"x\"; };")
    composed(tmp_path, **custom, CUSTOM_DTB=str(tmp_path / "my.dtb"))
    assert (tmp_path / "payload/dtb").read_bytes() == blob


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda blob: b"\0" + blob[1:], "bad magic"),
        (lambda blob: b"", "bad magic"),
        (lambda blob: blob[:-1], "truncated"),
        (lambda blob: blob + bytes(MIB), "the board has room for"),
    ],
)
def test_wrong_trees_are_refused(tmp_path, custom, damage, reason):
    blob = compile_tree(tmp_path / "my.dtb", "/dts-v1/; / { model = \"x\"; };")
    (tmp_path / "my.dtb").write_bytes(damage(blob))
    line = refused(tmp_path, **custom, CUSTOM_DTB=str(tmp_path / "my.dtb"))
    assert line.startswith("images: my.dtb: ") and reason in line


def test_custom_tree_decides_where_the_initrd_is(tmp_path, custom):
    (tmp_path / "initrd").write_bytes(b"x" * 0x1000)
    custom |= {"CUSTOM_INITRD": str(tmp_path / "initrd"), "CUSTOM_DTB": str(tmp_path / "my.dtb")}
    text = "/dts-v1/; / { chosen { linux,initrd-start = <0x%x>; linux,initrd-end = <0x%x>; }; };"
    compile_tree(tmp_path / "my.dtb", text % (0x5000000, 0x5001000))
    assert composed(tmp_path, **custom)["initrd"]["gpa"] == "0x5000000"
    compile_tree(tmp_path / "my.dtb", text % (0x200000, 0x201000))
    assert "overlaps kernel vmlinux" in refused(tmp_path, **custom)
    compile_tree(tmp_path / "my.dtb", text % (0x5000000, 0x5000800))
    assert "set linux,initrd-start to 0x5000000 and linux,initrd-end to 0x5001000" in refused(tmp_path, **custom)
    compile_tree(tmp_path / "my.dtb", "/dts-v1/; / { };")
    assert "set linux,initrd-start to 0x6000000" in refused(tmp_path, **custom)


# --- unpacking


def wrapper(inner, order="<", load=0xFFFFFFFF80100000, entry_offset=0x40, tail=b"", with_size=True):
    """A self-decompressing kernel around `inner`, built as the kernel build does it."""
    start = (load + len(inner) + 0xFFFF) & ~0xFFFF
    entry = load + entry_offset
    words = [0x00808025, 0x3C190000 | entry >> 16 & 0xFFFF, 0x37390000 | entry & 0xFFFF, 0x0320F809, 0]
    packed = lzma.compress(inner, lzma.FORMAT_XZ, check=lzma.CHECK_CRC32)
    # A false magic first, as in the real file.
    body = struct.pack(f"{order}5I", *words) + b"\xfd7zXZ\0" + bytes(10) + packed
    body += struct.pack("<I", len(inner) if with_size else 1) + tail
    return elf.build(order, 0x80000001, start, start, body, len(body) + 0x1000)


def inner_kernel(order="<", bss=0xFFFFFFFF80130000, end=0xFFFFFFFF80140000, entry_offset=0x40):
    """Something that starts as Linux for MIPS does: with a loop that clears the bss."""
    last = end - 8
    words = [
        0x400C6000,  # mfc0 t0, status
        0x3C0C0000 | bss >> 16 & 0xFFFF, 0x658C0000 | bss & 0xFFFF,  # lui, daddiu t0
        0xFD800000,  # sd zero, 0(t0)
        0x3C0D0000 | (last + 0x8000) >> 16 & 0xFFFF, 0x65AD0000 | last & 0xFFFF,  # lui, daddiu t1
        0x658C0008, 0xFD800000, 0x158DFFFD, 0,  # daddiu t0, 8; sd zero, 0(t0); bne t0, t1
    ]  # fmt: skip
    code = bytes(entry_offset) + struct.pack(f"{order}{len(words)}I", *words)
    return code.ljust(0x23450, b"\xaa")


@pytest.mark.parametrize("order", ["<", ">"])
def test_wrapper_is_unpacked(tmp_path, custom, order):
    (tmp_path / "vmlinuz").write_bytes(wrapper(inner_kernel(order), order, tail=b"more"))
    custom |= {"CUSTOM_KERNEL": str(tmp_path / "vmlinuz"), "IMAGE_UNPACK": True, "GUEST_BIG_ENDIAN": order == ">"}
    part = composed(tmp_path, **custom)["kernel"]
    assert part["name"] == "vmlinux" and part["unpacked_from"]["name"] == "vmlinuz"
    assert part["unpacked_from"]["sha256"] == sha256((tmp_path / "vmlinuz").read_bytes())
    made = elf.parse("vmlinux", (tmp_path / "payload/kernel").read_bytes(), order == ">", board("virt"))
    assert made.entry == 0xFFFFFFFF80100040
    assert (made.gpa_low, made.gpa_high) == (0x100000, 0x140000)
    segment = made.segments[0]
    assert made.data[segment.offset : segment.offset + segment.filesz] == inner_kernel(order)


def test_wrapper_is_embedded_as_it_is_without_unpack(tmp_path, custom):
    (tmp_path / "vmlinux").write_bytes(wrapper(inner_kernel()))
    part = composed(tmp_path, **custom, IMAGE_UNPACK=False)["kernel"]
    assert "unpacked_from" not in part
    assert (tmp_path / "payload/kernel").read_bytes() == wrapper(inner_kernel())


@pytest.mark.parametrize("unpack", [True, False])
def test_what_a_wrapper_unpacks_is_kept_free(tmp_path, custom, unpack):
    (tmp_path / "vmlinux").write_bytes(wrapper(inner_kernel()))
    (tmp_path / "initrd").write_bytes(b"x" * 0x1000)
    line = refused(tmp_path, **custom, IMAGE_UNPACK=unpack, CUSTOM_INITRD=str(tmp_path / "initrd"),
                   GUEST_CMDLINE="nokaslr rd_start=0x80120000 rd_size=0x1000")  # fmt: skip
    assert "overlaps kernel unpacked from vmlinux" in line


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (wrapper(inner_kernel(), with_size=False), "the compressed kernel inside is damaged"),
        (wrapper(inner_kernel()).replace(lzma.compress(inner_kernel(), check=lzma.CHECK_CRC32)[100:104], b"1234"), "is damaged"),
        (wrapper(inner_kernel().replace(b"\x08\x00\x8c\x65", b"\x00\x00\x00\x00")[:0x60].ljust(0x23450, b"\0")), "cannot find"),
        (wrapper(inner_kernel(end=0xFFFFFFFF80120000, bss=0xFFFFFFFF80110000)), "cannot find the end of its memory"),
    ],
)
def test_wrappers_that_are_not_understood_are_refused(tmp_path, custom, data, reason):
    (tmp_path / "vmlinux").write_bytes(data)
    assert reason in refused(tmp_path, **custom, IMAGE_UNPACK=True)


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


# --- the board pvh

PVH = {"MACHINE_PVH": True, "IMAGE_CUSTOM": True, "IMAGE_UNPACK": True, "GUEST_CMDLINE": "console=ttyS0"}


def x86_kernel(machine=62, bits=64, note=18, paddr=0x1000000, memsz=0x2000):
    """An ELF file with one segment and, if note is not None, a Xen note."""
    notes = struct.pack("<III", 4, 4, note) + b"Xen\0" + struct.pack("<I", paddr) if note is not None else b""
    ident = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, paddr, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 7, 0x1000, paddr, paddr, 0x1000, memsz, 0x1000)
    return (header + load + struct.pack("<IIQQQQQQ", 4, 4, 64 + 112, 0, 0, len(notes), 0, 4) + notes).ljust(0x1000, b"\0") + b"\x90" * 0x1000


def bzimage(flags=1, version=0x20F, init_size=0x400000):
    """The header of a bzImage and a little behind it."""
    data = bytearray(0x1000)
    data[0x1F1], data[0x202:0x206] = 1, b"HdrS"
    struct.pack_into("<H", data, 0x206, version)
    struct.pack_into("<H", data, 0x236, flags)
    struct.pack_into("<QI", data, 0x258, 0x1000000, init_size)
    return bytes(data)


@pytest.mark.parametrize(
    "data, why",
    [
        (x86_kernel(note=None), "this kernel has no Xen PVH note, so it cannot be started by PVH; build it with CONFIG_PVH=y"),
        (x86_kernel(note=17), "this kernel has no Xen PVH note"),
        (x86_kernel(machine=8), "this is a kernel for MIPS, but the board pvh is x86-64; name an amd64 kernel"),
        (x86_kernel(machine=3), "this is a kernel for x86, but the board pvh is x86-64; name an amd64 kernel"),
        (x86_kernel(bits=32), "this is a 32-bit ELF file; the board pvh starts 64-bit kernels: name an amd64 kernel"),
        (x86_kernel(paddr=0x80000), "overlaps memory below 1 MiB"),
        (x86_kernel(memsz=0x20000000), "RAM_MB=256 is too small for kernel on the board pvh; set RAM_MB to at least"),
        (bzimage(flags=0), "this is a 32-bit kernel, but the board pvh is x86-64; name an amd64 kernel"),
        (bzimage(version=0x206), "its boot protocol 2.06 is too old"),
        (bzimage(), "the compressed kernel inside is damaged|compressed in a way that husk cannot unpack"),
        (b"MZ" + bytes(100), "not an ELF file"),
    ],
)
def test_wrong_x86_kernel_is_refused(tmp_path, data, why):
    """One clear line at build time."""
    (tmp_path / "kernel").write_bytes(data)
    done = compose(tmp_path, **PVH, CUSTOM_KERNEL=str(tmp_path / "kernel"))
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert any(text in done.stderr for text in why.split("|")), done.stderr


def test_bzimage_that_is_not_unpacked_needs_its_init_size(tmp_path):
    """It unpacks itself: RAM for that is needed."""
    (tmp_path / "kernel").write_bytes(bzimage(init_size=0x10000000))
    values = {**PVH, "IMAGE_UNPACK": False, "CUSTOM_KERNEL": str(tmp_path / "kernel")}
    assert "RAM_MB=256 is too small" in compose(tmp_path, **values).stderr
    assert composed(tmp_path, **{**values, "RAM_MB": 512})
    assert (tmp_path / "payload/kernel").read_bytes() == bzimage(init_size=0x10000000)


def test_unpacked_x86_kernel_is_what_was_inside(tmp_path):
    """Its segments are those of the kernel inside the bzImage; zeros at the end are left to the loader."""
    composed(tmp_path, MACHINE_PVH=True, IMAGE_DEBIAN_PVH=True, IMAGE_UNPACK=True, GUEST_CMDLINE="console=hvc0")
    summary = json.loads((tmp_path / "payload/payload.json").read_text(encoding="utf-8"))
    part = next(part for part in summary["parts"] if part["kind"] == "kernel")
    assert part["unpacked_from"]["name"].startswith("vmlinuz-6.1") and part["name"].startswith("vmlinux-6.1")
    kernel = elf.parse("vmlinux", (tmp_path / "payload/kernel").read_bytes(), False, board("pvh"))
    assert kernel.gpa_low == 0x1000000 and len(kernel.segments) == 4
    last = kernel.segments[-1]
    assert last.filesz < last.memsz and kernel.data[last.offset + last.filesz - 1] != 0
