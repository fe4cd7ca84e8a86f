# SPDX-License-Identifier: BSD-2-Clause
"""The image composer: kernels that unpack themselves, and those of the board pvh."""

import json
import lzma
import struct

import pytest

from composing import board, compose, composed, refused  # first: the modules below are found by it
import elf
from files import sha256


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
