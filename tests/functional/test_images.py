# SPDX-License-Identifier: BSD-2-Clause
"""The image composer: what it makes of files that users name, where it puts them, and what it refuses."""

import re
import struct
import subprocess

import pytest

from composing import MIB, TREE, board, composed, kernel, refused  # first: the modules below are found by it
import dtb
import elf
import layout
from files import InputError, sha256


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
