# SPDX-License-Identifier: BSD-2-Clause
"""Unpacks self-decompressing MIPS kernels (vmlinuz) without running them.

Such a file is a small wrapper program with the kernel inside, compressed with xz. The wrapper
decompresses it to its load address and jumps to its entry point. The entry point is a constant in the
wrapper's first instructions; the load address follows from the entry code of the kernel itself, and how
much memory must be zero behind it, from the loop there that clears the bss. Nothing here depends on
one kernel version.
"""

import dataclasses
import lzma
import struct

import elf
from files import InputError

XZ_MAGIC = b"\xfd7zXZ\0"
#: the kernel build aligns the kernel and the wrapper behind it to this
PLACE_ALIGN = 0x10000
#: how many instructions from an entry point are looked at
LOOK = 64

# MIPS64 instruction encodings: major opcodes (bits 31:26), and functions of SPECIAL (bits 5:0)
SPECIAL, BNE, ADDIU, ORI, LUI, DADDIU, SD = 0, 0x05, 0x09, 0x0D, 0x0F, 0x19, 0x3F
JR, JALR = 0x08, 0x09


@dataclasses.dataclass
class Unpacked:
    """The kernel that was inside."""

    image: bytes
    entry: int
    load: int  # virtual address of the first byte
    memsz: int  # bytes from `load` to the end of the bss


class _Walker:
    """Follows constants through straight-line code: lui, addiu, daddiu and ori on registers."""

    def __init__(self, order, code):
        self.words = struct.unpack(f"{order}{len(code) // 4}I", code[: len(code) // 4 * 4])
        self.regs = {0: 0}

    def steps(self):
        """Yields (index, opcode, rs, rt, word) of each instruction, before its effect on the constants."""
        for index, word in enumerate(self.words):
            opcode, rs, rt = word >> 26, word >> 21 & 31, word >> 16 & 31
            yield index, opcode, rs, rt, word
            self._execute(opcode, rs, rt, word)

    def _execute(self, opcode, rs, rt, word):
        low = word & 0xFFFF
        signed = low - 0x10000 if low & 0x8000 else low
        if opcode == LUI:
            self.regs[rt] = _extend32(low << 16)
        elif opcode == DADDIU and rs in self.regs:
            self.regs[rt] = (self.regs[rs] + signed) & (1 << 64) - 1
        elif opcode == ADDIU and rs in self.regs:
            self.regs[rt] = _extend32(self.regs[rs] + signed)
        elif opcode == ORI and rs in self.regs:
            self.regs[rt] = self.regs[rs] | low
        elif opcode == SPECIAL and word & 63 not in (JR, JALR):
            self.regs.pop(word >> 11 & 31, None)
        elif opcode not in (BNE, SD, SPECIAL):
            self.regs.pop(rt, None)
        self.regs[0] = 0


def _extend32(value):
    value &= 0xFFFFFFFF
    return value | 0xFFFFFFFF00000000 if value & 0x80000000 else value


def is_wrapper(kernel):
    """Whether a kernel has a kernel inside: it does when its code jumps to an address outside itself."""
    return XZ_MAGIC in kernel.data and _entry(kernel) is not None


def unpack(kernel):
    """Returns the Unpacked kernel inside the Elf `kernel`."""
    image = _payload(kernel)
    entry = _entry(kernel)
    load = _load_address(kernel, image, entry)
    end = _bss_end(kernel.order, image, entry - load)
    if end is None or not load + len(image) <= end < load + 0x10000000:
        raise _unknown(kernel, "the end of its memory")
    return Unpacked(image, entry, load, end - load)


def to_elf(kernel, inner):
    """Bytes of an ELF file that loads what the wrapper would have unpacked."""
    return elf.build(kernel.order, kernel.flags, inner.entry, inner.load, inner.image, inner.memsz)


def _unknown(kernel, what):
    return InputError(f"{kernel.name}: cannot find {what} in this self-decompressing kernel; name its vmlinux file")


def _payload(kernel):
    """Decompresses the one stream in the file that really is xz: the magic occurs by chance, too."""
    at = -1
    while (at := kernel.data.find(XZ_MAGIC, at + 1)) >= 0:
        decoder = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
        try:
            image = decoder.decompress(memoryview(kernel.data)[at:])
        except lzma.LZMAError:
            continue
        # The kernel build appends the size of the contents, always little-endian.
        if decoder.eof and decoder.unused_data[:4] == struct.pack("<I", len(image)):
            return image
    raise InputError(f"{kernel.name}: the compressed kernel inside is damaged; get the file again")


def _entry(kernel):
    """Target of the wrapper's jump into the kernel: the first one that leaves the wrapper."""
    offset = kernel.offset_of(kernel.entry)
    if offset is None:
        return None
    walker = _Walker(kernel.order, kernel.data[offset : offset + 4 * LOOK])
    for _, opcode, rs, _, word in walker.steps():
        target = walker.regs.get(rs)
        if opcode == SPECIAL and word & 63 in (JR, JALR) and target:
            if not any(s.vaddr <= target < s.vaddr + s.memsz for s in kernel.segments):
                return target
    return None


def _load_address(kernel, image, entry):
    """Where the wrapper puts the kernel.

    The build links the wrapper at the next multiple of 64 KiB behind the kernel, which leaves one multiple
    of 64 KiB. The kernel's entry code must then be at that offset: it must find its bss behind the image.
    """
    wrapper = min(s.vaddr for s in kernel.segments)
    load = (wrapper - len(image)) // PLACE_ALIGN * PLACE_ALIGN
    if load <= entry < load + len(image) and _bss_end(kernel.order, image, entry - load) is not None:
        return load
    raise _unknown(kernel, "the load address")


def _bss_end(order, image, offset):
    """End of the loop at the kernel's entry that clears the bss: sd $0,0(p); daddiu p,8; sd $0,0(p); bne p,last."""
    walker = _Walker(order, image[offset : offset + 4 * LOOK])
    start = None
    for _, opcode, rs, rt, word in walker.steps():
        if opcode == SD and rt == 0 and start is None and rs in walker.regs:
            start, pointer = walker.regs[rs], rs
        elif opcode == BNE and start is not None and pointer in (rs, rt):
            last = walker.regs.get(rt if pointer == rs else rs)
            return last + 8 if last is not None and last >= start else None
    return None
