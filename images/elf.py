# SPDX-License-Identifier: BSD-2-Clause
"""Checks kernels and writes minimal ones: the parts of the ELF-64 file format that loading needs."""

import dataclasses
import struct

from files import InputError

EM_MIPS = 8
EM_X86_64 = 62
MACHINES = {3: "x86", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 40: "ARM", 62: "x86-64", 183: "AArch64", 243: "RISC-V"}
PT_LOAD = 1
ET_EXEC = 2
HEADER_SIZE = 64
SEGMENT_SIZE = 56
#: p_paddr bits of a MIPS kernel that are the physical address; the others select kseg0 or xkphys
MIPS_PHYSICAL = 0x1FFFFFFF


@dataclasses.dataclass
class Segment:
    """A PT_LOAD program header."""

    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    physical: int = MIPS_PHYSICAL  # bits of paddr that are the physical address

    @property
    def gpa(self):
        """Physical address it is loaded to."""
        return self.paddr & self.physical


@dataclasses.dataclass
class Elf:
    """A checked kernel file."""

    name: str
    data: bytes
    order: str  # "<" or ">", as struct wants it
    entry: int
    flags: int
    segments: list

    @property
    def gpa_low(self):
        """First byte of RAM that loading writes."""
        return min(s.gpa for s in self.segments)

    @property
    def gpa_high(self):
        """One past the last byte of RAM that loading writes, bss included."""
        return max(s.gpa + s.memsz for s in self.segments)

    def offset_of(self, vaddr):
        """File offset of a virtual address, or None."""
        for s in self.segments:
            if s.vaddr <= vaddr < s.vaddr + s.filesz:
                return s.offset + vaddr - s.vaddr
        return None


def parse(name, data, big_endian, board):
    """Returns the Elf if the layout.Board can load it, otherwise raises InputError."""
    _check_ident(name, data, big_endian)
    order = ">" if big_endian else "<"
    kind, machine = struct.unpack_from(order + "HH", data, 16)
    if machine != board.machine:
        found = MACHINES.get(machine, f"machine {machine}")
        raise InputError(f"{name}: this is a kernel for {found}, but the board {board.name} is {board.machine_name}; name {board.kernels}")
    if data[4] != 2:
        raise InputError(f"{name}: this is a 32-bit ELF file; the board {board.name} starts 64-bit kernels: name {board.kernels}")
    if len(data) < HEADER_SIZE:
        raise _truncated(name, data, HEADER_SIZE)
    if kind != ET_EXEC:
        raise InputError(f"{name}: ELF type {kind} is not an executable kernel; name the vmlinux or vmlinuz file")
    entry, table, _, flags, _, size, count = struct.unpack_from(order + "QQQIHHH", data, 24)
    segments = _segments(name, data, order, table, size, count)
    for segment in segments:
        segment.physical = MIPS_PHYSICAL if machine == EM_MIPS else (1 << 64) - 1
    elf = Elf(name, data, order, entry, flags, segments)
    # Kernels that start with paging off have a physical entry point.
    if not any(s.vaddr <= entry < s.vaddr + s.memsz or s.gpa <= entry < s.gpa + s.memsz for s in segments):
        raise InputError(f"{name}: the entry point 0x{entry:x} is in no segment; the file is damaged, get it again")
    return elf


def _check_ident(name, data, big_endian):
    if data[:4] != b"\x7fELF":
        raise InputError(f"{name}: not an ELF file; name the kernel's vmlinux or vmlinuz file")
    if len(data) < 20:
        raise _truncated(name, data, HEADER_SIZE)
    if data[5] != (2 if big_endian else 1):
        found, wanted, setting = ("little", "big", "n") if big_endian else ("big", "little", "y")
        machine = struct.unpack_from("<H" if data[5] == 1 else ">H", data, 18)[0]
        if machine == EM_MIPS:
            raise InputError(
                f"{name}: this kernel is {found}-endian and the guest CPU {wanted}-endian;"
                f" set GUEST_BIG_ENDIAN={setting} or name another kernel"
            )


def _truncated(name, data, needed):
    return InputError(f"{name}: truncated, {len(data)} bytes of at least {needed}; get the file again")


def _segments(name, data, order, table, size, count):
    if count and size != SEGMENT_SIZE:
        raise InputError(f"{name}: program headers of {size} bytes instead of {SEGMENT_SIZE}; the file is damaged, get it again")
    if table + size * count > len(data):
        raise _truncated(name, data, table + size * count)
    found = []
    for i in range(count):
        kind, _, offset, vaddr, paddr, filesz, memsz, _ = struct.unpack_from(order + "IIQQQQQQ", data, table + i * size)
        if kind == PT_LOAD and memsz:
            if offset + filesz > len(data):
                raise _truncated(name, data, offset + filesz)
            if filesz > memsz:
                raise InputError(f"{name}: a segment is larger in the file than in memory; the file is damaged, get it again")
            found.append(Segment(offset, vaddr, paddr, filesz, memsz))
    if not found:
        raise InputError(f"{name}: the ELF file has no segment to load; name the kernel's vmlinux or vmlinuz file")
    return found


def headers(data, order):
    """Yields (type, file offset, size in the file) of the program headers of a checked file."""
    table, size, count = struct.unpack_from(order + "Q", data, 32)[0], *struct.unpack_from(order + "HH", data, 54)
    for i in range(count):
        kind, _, offset, _, _, filesz = struct.unpack_from(order + "IIQQQQ", data, table + i * size)
        yield kind, offset, filesz


def build(order, flags, entry, vaddr, image, memsz):
    """Bytes of a minimal MIPS64 kernel file with one segment that holds `image` and is `memsz` bytes in memory."""
    align = 0x1000
    ident = b"\x7fELF" + bytes([2, 1 if order == "<" else 2, 1]) + bytes(9)
    fields = (ET_EXEC, EM_MIPS, 1, entry, HEADER_SIZE, 0, flags, HEADER_SIZE, SEGMENT_SIZE, 1, HEADER_SIZE, 0, 0)
    header = ident + struct.pack(order + "HHIQQQIHHHHHH", *fields)
    segment = struct.pack(order + "IIQQQQQQ", PT_LOAD, 7, align, vaddr, vaddr, len(image), memsz, align)
    return (header + segment).ljust(align, b"\0") + image
