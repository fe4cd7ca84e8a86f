# SPDX-License-Identifier: BSD-2-Clause
"""An image whose payload was damaged after the build refuses it at run time: one line, exit status 2.

The composer refuses all of this at build time (test_images.py), so the tests change bytes of finished images.
"""

import json
import struct
import subprocess

import pytest

from guest import PATIENCE, patched, run_script

# Offsets in a 64-bit ELF header and, behind it in these kernels, in the first program header.
EI_CLASS, EI_DATA, E_TYPE, E_MACHINE, E_ENTRY, E_PHOFF, E_PHENTSIZE, E_PHNUM = 4, 5, 16, 18, 24, 32, 54, 56
P_TYPE, P_OFFSET, P_PADDR, P_FILESZ, P_MEMSZ = 0, 8, 24, 32, 40
PT_NULL = 0


class Payload:
    """Where the parts of a payload are in an image."""

    def __init__(self, out):
        self.image = out / "husk"
        self.files = {}
        self.parts = {}
        for part in json.loads((out / "payload/payload.json").read_text(encoding="utf-8"))["parts"]:
            self.files[part["kind"]] = (out / "payload" / part["kind"]).read_bytes()
            self.parts[part["kind"]] = part

    def put(self, kind, offset, form, value):
        """A change of a field of a part's contents; see guest.patched()."""
        return lambda data, at: struct.pack_into(form, data, at(self.files[kind][:1024]) + offset, value)

    def kernel(self, field, form, value):
        """A change of the kernel's ELF header."""
        return self.put("kernel", field, form, value)

    def segments(self, field, form, value):
        """A change of every program header of the kernel that is to be loaded."""
        offset, count = (struct.unpack_from(f, self.files["kernel"], o)[0] for f, o in (("<Q", E_PHOFF), ("<H", E_PHNUM)))
        headers = [offset + 56 * n for n in range(count)]
        loads = [h for h in headers if struct.unpack_from("<I", self.files["kernel"], h)[0] == 1]

        def change(data, at):
            for header in loads:
                struct.pack_into(form, data, at(self.files["kernel"][:1024]) + header + field, value)

        return change

    def place(self, kind, gpa):
        """A change of the table of parts: the part goes elsewhere."""
        size, old = len(self.files[kind]), int(self.parts[kind]["gpa"], 16)
        return lambda data, at: struct.pack_into("<Q", data, at(struct.pack("<QQ", size, old)) + 8, gpa)


@pytest.fixture(scope="module", name="virt")
def build_virt(built):
    """The payload of linux_virt."""
    return Payload(built("linux_virt"))


@pytest.fixture(scope="module", name="octeon")
def build_octeon(built):
    """The payload of linux_octeon."""
    return Payload(built("linux_octeon"))


def refused(command):
    """Runs an image, which must refuse its payload in one line; returns that line."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=PATIENCE, check=False)  # fmt: skip
    assert done.returncode == 2, done.stdout
    assert "Linux version" not in done.stdout
    lines = done.stdout.splitlines()
    errors = [line for line in lines if "error" in line]
    assert len(errors) == 1 and errors[0].startswith("husk: error: ") and lines[-1] == errors[0], done.stdout
    return errors[0]


KERNELS = {
    "magic": (lambda p: p.kernel(0, "<I", 0), "cannot be loaded: it is not an ELF file"),
    "32 bits": (lambda p: p.kernel(EI_CLASS, "<B", 1), "cannot be loaded: it is a 32-bit ELF file"),
    "byte order": (lambda p: p.kernel(EI_DATA, "<B", 2), "is damaged: its ELF header is malformed"),
    "x86-64": (lambda p: p.kernel(E_MACHINE, "<H", 62), "it is for another CPU (ELF machine 62, this guest is 8)"),
    "module": (lambda p: p.kernel(E_TYPE, "<H", 1), "it is not an executable ELF file"),
    "no headers": (lambda p: p.kernel(E_PHNUM, "<H", 0), "is damaged: it has nothing to load"),
    "odd headers": (lambda p: p.kernel(E_PHENTSIZE, "<H", 1), "is damaged: "),
    "headers outside": (lambda p: p.kernel(E_PHOFF, "<Q", 1 << 40), "is damaged: its headers lie beyond the end of the file"),
    "headers wrap": (lambda p: p.kernel(E_PHOFF, "<Q", (1 << 64) - 16), "is damaged: its headers lie beyond the end of the file"),
    "segment outside": (lambda p: p.segments(P_OFFSET, "<Q", 1 << 40), "is damaged: a segment lies beyond the end of the file"),
    "segment wraps": (lambda p: p.segments(P_OFFSET, "<Q", (1 << 64) - 16), "is damaged: a segment lies beyond the end"),
    "larger in the file": (lambda p: p.segments(P_MEMSZ, "<Q", 16), "is damaged: a segment is larger in the file than in memory"),
    "larger than RAM": (lambda p: p.segments(P_MEMSZ, "<Q", 1 << 63), "raise RAM_MB"),
    "outside of RAM": (lambda p: p.segments(P_PADDR, "<Q", 0xFFFFFFFF9FFF0000), "raise RAM_MB"),
    "nothing to load": (lambda p: p.segments(P_TYPE, "<I", PT_NULL), "is damaged: it has nothing to load"),
    "entry": (lambda p: p.kernel(E_ENTRY, "<Q", 0xFFFFFFFF8F000000), "its entry point lies outside of what it loads"),
}


@pytest.mark.parametrize("what", KERNELS)
def test_bad_kernel(virt, tmp_path, what):
    """Whatever is wrong with the kernel is found before it runs."""
    change, reason = KERNELS[what]
    assert reason in refused([patched(virt.image, tmp_path, change(virt))])


OTHERS = {
    "tree magic": (lambda p: p.put("dtb", 0, ">I", 0x12345678), "virt.dtb: not a flattened device tree"),
    "tree truncated": (lambda p: p.put("dtb", 4, ">I", 0x100000), "virt.dtb: truncated"),
    "tree on the kernel": (lambda p: p.place("dtb", 0x200000), "device tree at 0x200000"),
    "tree outside of RAM": (lambda p: p.place("dtb", 0x20000000), "raise RAM_MB"),
    "tree wraps": (lambda p: p.place("dtb", (1 << 64) - 16), "raise RAM_MB"),
    "initrd on the kernel": (lambda p: p.place("initrd", 0x300000), "initrd at 0x300000"),
    "initrd on the tree": (lambda p: p.place("initrd", 0x6FFFFF0), "initrd at 0x6fffff0"),
    "initrd outside of RAM": (lambda p: p.place("initrd", 0xFFF0000), "raise RAM_MB"),
    "initrd on the vectors": (lambda p: p.place("initrd", 0x800), "overlaps"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_bad_part(virt, tmp_path, what):
    """Device tree and initrd must be whole, in RAM, and on nothing else."""
    change, reason = OTHERS[what]
    assert reason in refused([patched(virt.image, tmp_path, change(virt))])


def test_octeon_refuses_too(octeon, tmp_path):
    """The other board checks its payload, and that the kernel will find its initrd."""
    assert "not an ELF file" in refused([patched(octeon.image, tmp_path, octeon.kernel(0, "<I", 0))])
    assert "overlaps" in refused([patched(octeon.image, tmp_path, octeon.place("initrd", 0x11000))])
    end = (256 << 20) - len(octeon.files["initrd"])
    assert "the initrd ends at 0x10000000" in refused([patched(octeon.image, tmp_path, octeon.place("initrd", end))])


def test_log_level_hides_no_error(virt, tmp_path):
    """At the lowest log level the error is all that is said."""
    image = patched(virt.image, tmp_path, virt.kernel(0, "<I", 0))
    assert "not an ELF file" in refused([image, "log=error"])


def test_status_on_host_pc(built, tmp_path):
    """The host pc refuses in the same way, and the status gets through the emulator."""
    payload = Payload(built("pc_virt"))
    image = patched(payload.image, tmp_path, payload.kernel(E_MACHINE, "<H", 62))
    assert "ELF machine 62" in refused(run_script(image, "pc"))
