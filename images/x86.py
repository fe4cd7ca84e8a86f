# SPDX-License-Identifier: BSD-2-Clause
"""Kernels of the board pvh: ELF files with a Xen PVH note, and Linux bzImage files, which have one inside.

The bzImage format is Documentation/x86/boot.rst of the Linux source: a header at a fixed place says where the
compressed kernel is. It is an ELF file with data for its relocation behind it.
"""

import bz2
import gzip
import lzma
import struct
import subprocess

import elf
import layout
from files import InputError

PT_NOTE = 4
NOTE_PHYS32_ENTRY = 18
KERNEL_64 = 1


def is_bzimage(data):
    """Whether this is a Linux bzImage (or the older zImage)."""
    return len(data) >= 0x268 and data[0x202:0x206] == b"HdrS"


def check_bzimage(name, data):
    """Refuses one that the board cannot start."""
    version, flags = struct.unpack_from("<H", data, 0x206)[0], struct.unpack_from("<H", data, 0x236)[0]
    if version < 0x20C:
        raise InputError(f"{name}: its boot protocol {version >> 8}.{version & 255:02} is too old; name a kernel of Linux 3.8 or newer")
    if not flags & KERNEL_64:
        raise InputError(f"{name}: this is a 32-bit kernel, but the board pvh is x86-64; name an amd64 kernel")


def bzimage_range(name, data):
    """RAM that a bzImage unpacks itself in."""
    preferred, size = struct.unpack_from("<QI", data, 0x258)
    return layout.Range(preferred, preferred + size, f"kernel {name}")


def unpack(name, data):
    """Bytes of the ELF kernel inside a bzImage."""
    start = ((data[0x1F1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", data, 0x248)
    packed = data[start + offset : start + offset + length]
    try:
        # The build appends the size of the contents, which not every decompressor wants to see.
        image = _decompress(name, packed[:-4])
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise InputError(f"{name}: the compressed kernel inside is damaged; get the file again") from error
    if len(image) != struct.unpack("<I", packed[-4:])[0]:
        raise InputError(f"{name}: the compressed kernel inside is damaged; get the file again")
    return image


def _decompress(name, packed):
    if packed[:6] == b"\xfd7zXZ\0" or packed[:3] == b"]\0\0":
        return lzma.decompress(packed)
    if packed[:2] == b"\x1f\x8b":
        return gzip.decompress(packed)
    if packed[:3] == b"BZh":
        return bz2.decompress(packed)
    if packed[:4] == b"(\xb5/\xfd":
        done = subprocess.run(["zstd", "-dc"], input=packed, capture_output=True, check=False)
        if done.returncode == 0:
            return done.stdout
        raise EOFError
    raise InputError(f"{name}: compressed in a way that husk cannot unpack; set IMAGE_UNPACK=n")


def check_pvh(kernel):
    """Refuses an elf.Elf without the note that says where to enter it by PVH."""
    if (NOTE_PHYS32_ENTRY, b"Xen\0") in [(kind, owner) for kind, owner in _notes(kernel)]:
        return
    raise InputError(
        f"{kernel.name}: this kernel has no Xen PVH note, so it cannot be started by PVH;"
        " build it with CONFIG_PVH=y, or name its bzImage and set IMAGE_UNPACK=n"
    )


def _notes(kernel):
    for kind, offset, size in elf.headers(kernel.data, kernel.order):
        end = offset + size
        while kind == PT_NOTE and offset + 12 <= min(end, len(kernel.data)):
            owner, value, note = struct.unpack_from("<III", kernel.data, offset)
            yield note, kernel.data[offset + 12 : offset + 12 + owner]
            offset += 12 + (owner + 3 & ~3) + (value + 3 & ~3)


def strip(kernel):
    """Bytes of an ELF file with what loading needs: no sections, nothing behind the last segment, no zeros at its end."""
    data = bytearray(kernel.data)
    struct.pack_into("<Q", data, 40, 0)  # e_shoff
    struct.pack_into("<HHH", data, 58, 0, 0, 0)  # e_shentsize, e_shnum, e_shstrndx
    ends = [(offset + size, index) for index, (_, offset, size) in enumerate(elf.headers(data, kernel.order))]
    end, last = max(ends)
    kept = len(bytes(data[:end]).rstrip(b"\0"))
    if kept > max([other for other, index in ends if index != last], default=0):
        table = struct.unpack_from("<Q", data, 32)[0] + last * elf.SEGMENT_SIZE
        offset = struct.unpack_from("<Q", data, table + 8)[0]
        struct.pack_into("<Q", data, table + 32, kept - offset)  # p_filesz; p_memsz says how much is zeroed
        end = kept
    return bytes(data[:end])
