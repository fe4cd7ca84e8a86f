# SPDX-License-Identifier: BSD-2-Clause
"""Where the parts of the payload go in guest RAM.

A board says in features/machine-NAME/board.json, addresses as hexadecimal strings:
  elf_machine       ELF e_machine of its kernels
  ram               ranges {base, max_size} that RAM_MB fills in this order
  reserved          ranges [start, end, what] that the board itself fills before the kernel starts
  initrd.preferred  where the initial RAM disk goes if nothing is in the way
  initrd.headroom   RAM that must be free behind it; a kernel drops an initial RAM disk above the RAM it uses
  dtb               gpa and max_size of the device tree, if the board has one
  dts               its source, in the same folder
  cmdline           "bootargs": in the device tree; "part": the machine passes it
  cmdline_max       bytes that the command line may have
  kernels           what kernels it starts, for messages
  kaslr_max_offset  RANDOMIZE_BASE_MAX_OFFSET of kernels for this board
  slots             where devices go that are not the board's own: base and size of the first window, the distance to
                    the next, cells of an address, and the cells of the interrupt of each
"""

import dataclasses
import json
import re

from files import InputError, read

PAGE = 0x1000
MIB = 1 << 20
#: RAM that a kernel needs beside itself and the initial RAM disk to start init: Debian's boot with 20 MiB, not with 12
WORKING_SET = 24 * MIB
#: the kernel copies itself to a multiple of this
KASLR_ALIGN = 0x10000


@dataclasses.dataclass
class Range:
    """Guest physical addresses from start up to, not including, end."""

    start: int
    end: int
    what: str

    def overlaps(self, other):
        """Whether they share a byte."""
        return self.start < other.end and other.start < self.end

    def __str__(self):
        return f"{self.what} (0x{self.start:x}-0x{self.end:x})"


@dataclasses.dataclass
class Slot:
    """Place for a device: its window, and its interrupt as the device tree has it."""

    base: int
    size: int
    interrupt: list


def read_slots(values):
    """Slots of a board.json, and the cells of an address; a board may have none."""
    if values is None:
        return [], 0
    base, stride, size = (int(values[key], 16) for key in ("base", "stride", "size"))
    return [Slot(base + n * stride, size, cells) for n, cells in enumerate(values["interrupts"])], values["cells"]


class Board:
    """A board.json."""

    def __init__(self, name, path):
        values = json.loads(read(path, "description of the board"))
        self.name = name
        self.ram = [(int(r["base"], 16), int(r["max_size"], 16)) for r in values["ram"]]
        self.reserved = [Range(int(start, 16), int(end, 16), what) for start, end, what in values["reserved"]]
        self.initrd = int(values["initrd"]["preferred"], 16)
        self.initrd_headroom = int(values["initrd"]["headroom"], 16)
        self.machine, self.machine_name = values["elf_machine"], values["elf_machine_name"]
        self.kernels = values.get("kernels", "a MIPS64 kernel")
        tree = values.get("dtb", {"gpa": "0x0", "max_size": "0x0"})
        self.dtb, self.dtb_max = int(tree["gpa"], 16), int(tree["max_size"], 16)
        self.dts = values.get("dts")
        self.cmdline_in_tree = values["cmdline"] == "bootargs"
        self.cmdline_max = values["cmdline_max"]
        self.kaslr_max_offset = int(values.get("kaslr_max_offset", "0x0"), 16)
        self.slots, self.slot_cells = read_slots(values.get("slots"))

    def ram_ranges(self, size):
        """Ranges of `size` bytes of RAM."""
        ranges = []
        for base, limit in self.ram:
            taken = min(size, limit)
            if taken:
                ranges.append(Range(base, base + taken, "RAM"))
            size -= taken
        if size:
            most = sum(limit for _, limit in self.ram) // MIB
            raise InputError(f"RAM_MB: the board {self.name} holds at most {most} MiB; lower RAM_MB")
        return ranges


def up(value, align=PAGE):
    """The next multiple of `align`."""
    return (value + align - 1) // align * align


def kernel_ranges(board, name, segments, unpacked, cmdline):
    """RAM that the kernel needs free: itself, what a wrapper unpacks, and where KASLR may move it.

    `segments` are those of the ELF file; `unpacked` is the Range that a self-decompressing kernel fills, or None.
    """
    ranges = [Range(s.gpa, s.gpa + s.memsz, f"kernel {name}") for s in segments]
    if unpacked:
        ranges.append(unpacked)
    if board.kaslr_max_offset and "nokaslr" not in cmdline.split():
        ranges.append(_kaslr_window(board, unpacked or Range(ranges[0].start, max(r.end for r in ranges), "")))
    return ranges


def _kaslr_window(board, kernel):
    """The kernel copies itself up by a random offset, which is never less than its own size."""
    size = kernel.end - kernel.start
    highest = kernel.start + board.kaslr_max_offset + up(size, KASLR_ALIGN) + size
    return Range(kernel.start, up(highest), "area of the kernel's address randomisation (nokaslr frees it)")


def custom_initrd(cmdline):
    """(address, size or None) that rd_start= and rd_size= on the command line give, or None."""
    start = re.search(r"(?:^|\s)rd_start=(\w+)", cmdline)
    if not start:
        return None
    size = re.search(r"(?:^|\s)rd_size=(\w+)", cmdline)
    try:
        address = int(start[1], 0)
        return _physical(address), int(size[1], 0) if size else None
    except ValueError as error:
        raise InputError("GUEST_CMDLINE: rd_start= and rd_size= must be numbers; correct them") from error


def _physical(address):
    """Physical address of a kseg0 (also as 32 bits) or xkphys address."""
    if address >> 32 == 0 or address >> 32 == 0xFFFFFFFF:
        return address & 0x1FFFFFFF
    return address & (1 << 59) - 1


@dataclasses.dataclass
class Initrd:
    """The initial RAM disk to place; `at` is its address if the user decided it."""

    name: str
    size: int
    at: int | None = None


@dataclasses.dataclass
class Placement:
    """What place() decided."""

    dtb: int
    initrd: int | None


def place(board, ram_mb, kernel, initrd):
    """Returns the Placement of device tree and initial RAM disk (an Initrd or None) beside `kernel`.

    `kernel` are its kernel_ranges(). Raises InputError if something is in the way or does not fit.
    """
    _check_kernel(board, kernel)
    if initrd and initrd.at is not None:
        _check_chosen(board, kernel, initrd)
    placement = _try(board, ram_mb, kernel, initrd)
    if placement:
        return placement
    most = sum(limit for _, limit in board.ram) // MIB
    what = "kernel and " + initrd.name if initrd else "kernel"
    for needed in range(ram_mb + 1, most + 1):
        if _try(board, needed, kernel, initrd):
            raise InputError(
                f"RAM_MB={ram_mb} is too small for {what} on the board {board.name}; set RAM_MB to at least {needed}"
            )
    raise InputError(f"{what} do not fit into the {most} MiB that the board {board.name} holds at most; make them smaller")


def _check_kernel(board, kernel):
    """Refuses a kernel that is in the way of the board's own data or outside of what can be RAM."""
    ram = board.ram_ranges(sum(limit for _, limit in board.ram))
    for part in kernel:
        for other in board.reserved:
            if part.overlaps(other):
                raise InputError(f"{part} overlaps {other} of the board {board.name}; link the kernel elsewhere")
        if not _inside(part, ram):
            raise InputError(f"{part} is not where the board {board.name} has RAM; link the kernel elsewhere")


def _check_chosen(board, kernel, initrd):
    """Refuses an address of the initial RAM disk that the user chose badly."""
    remedy = "correct rd_start= or the device tree"
    part = Range(initrd.at, initrd.at + initrd.size, f"{initrd.name}: the initrd")
    if initrd.at % PAGE:
        raise InputError(f"{part} does not start at a multiple of 0x{PAGE:x}; {remedy}")
    for other in [*kernel, *board.reserved]:
        if part.overlaps(other):
            raise InputError(f"{part} overlaps {other}; {remedy}")


def _inside(part, ram):
    return any(r.start <= part.start and part.end <= r.end for r in ram)


def _try(board, ram_mb, kernel, initrd):
    """The Placement with that much RAM, or None if something does not fit."""
    ram = board.ram_ranges(ram_mb * MIB)
    busy = [*kernel, *board.reserved]
    # Linux on Octeon takes no memory below the end of the kernel, so only what is above counts. The initial RAM
    # disk is there twice while it is unpacked.
    left = ram_mb * MIB - max(r.end for r in kernel) - (2 * initrd.size if initrd else 0)
    if left < WORKING_SET or not all(_inside(r, ram) for r in kernel):
        return None
    if initrd and initrd.at is not None:
        busy.append(Range(initrd.at, initrd.at + initrd.size, ""))
        if not _inside(busy[-1], ram) or busy[-1].end + board.initrd_headroom > ram[-1].end:
            return None
    # In the first range: MIPS reaches it through kseg0.
    dtb = _find(ram[:1], busy, board.dtb, board.dtb_max) if board.dts else 0
    if dtb is None or not initrd:
        return Placement(dtb, None) if dtb is not None else None
    busy.append(Range(dtb, dtb + board.dtb_max, ""))
    if not board.dts:  # an initial RAM disk of x86 is named by 32 bits
        ram = ram[:1]
    at = initrd.at if initrd.at is not None else _find(ram, busy, board.initrd, initrd.size + board.initrd_headroom)
    return Placement(dtb, at) if at is not None else None


def _find(ram, busy, preferred, size):
    """Address for `size` bytes: the preferred one, otherwise the next free one above, otherwise the highest below."""
    size = up(size)
    edges = {up(r.end) for r in busy} | {r.start for r in ram}
    edges |= {(r.start - size) // PAGE * PAGE for r in busy} | {r.end - size for r in ram}
    above = sorted(e for e in edges if e > preferred)
    below = sorted((e for e in edges if 0 <= e < preferred), reverse=True)
    for start in [preferred, *above, *below]:
        wanted = Range(start, start + size, "")
        if _inside(wanted, ram) and not any(wanted.overlaps(r) for r in busy):
            return start
    return None
