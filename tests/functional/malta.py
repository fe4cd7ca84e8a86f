# SPDX-License-Identifier: BSD-2-Clause
"""Boots the payload of machine-virt on QEMU's malta board, to compare with.

The same kernel, initial RAM disk and device tree run there: machine-virt has Malta's memory map, its third
UART and its reset register. A small ROM does what machine-virt does at start: it enters the kernel by the
Unified Hosting Interface (a0 = -2, a1 = device tree). One thing may differ, the rate of the CPU clock (COUNTER_HZ).
"""

import json
import struct
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "images"))
# pylint: disable=wrong-import-position
import elf  # noqa: E402
import layout  # noqa: E402

#: Hz of the CPU clock of QEMU's malta board; Count runs at half of it. It is 320 MHz by name, but QEMU counts in whole
#: nanoseconds, and a tick of 6.25 takes 6.
CPU_CLOCK = 2 * 166666666
#: board revision word that the firmware area holds at offset 0x10
REVISION = 0x420


def _constant(register, value):
    """lui and ori that load a kseg0 address."""
    return [0x3C000000 | register << 16 | value >> 16 & 0xFFFF, 0x34000000 | register << 21 | register << 16 | value & 0xFFFF]


def rom(entry, tree):
    """Bytes of the start ROM: a branch over the revision word, the registers of the boot protocol, the jump."""
    a0, a1, a2, a3, t9 = 4, 5, 6, 7, 25
    words = [0x10000007, 0, 0, 0, REVISION, 0, 0, 0]  # b +8 words
    words += [0x24000000 | a0 << 16 | 0xFFFE]  # addiu a0, $0, -2
    words += _constant(a1, 0x80000000 | tree)
    words += [0x24000000 | a2 << 16, 0x24000000 | a3 << 16]
    words += [*_constant(t9, entry), t9 << 21 | 8, 0]  # jr t9; nop
    # QEMU takes the firmware file as big-endian words, whatever the guest's byte order.
    return struct.pack(f">{len(words)}I", *words)


def qemu_argv(payload, work, cpu="MIPS64R2-generic", qemu="qemu-system-mips64el"):
    """Command line that boots the payload folder `payload` ($(O)/payload), console on stdio.

    Writes the files that QEMU needs into the folder `work`.
    """
    payload, work = Path(payload), Path(work)
    work.mkdir(parents=True, exist_ok=True)
    summary = json.loads((payload / "payload.json").read_text(encoding="utf-8"))
    parts = {part["kind"]: part for part in summary["parts"]}
    if summary["machine"] != "virt":
        raise ValueError(f"{payload}: payload of machine {summary['machine']}, malta runs only that of virt")
    board = layout.Board("virt", TREE / "features/machine-virt/board.json")
    kernel = elf.parse(parts["kernel"]["name"], (payload / "kernel").read_bytes(), False, board)
    segment = kernel.segments[0]
    (work / "kernel.raw").write_bytes(kernel.data[segment.offset : segment.offset + segment.filesz])
    tree = int(parts["dtb"]["gpa"], 16)
    (work / "rom").write_bytes(rom(kernel.entry, tree))
    (work / "malta.dtb").write_bytes((payload / "dtb").read_bytes())
    subprocess.run(["fdtput", "-t", "i", str(work / "malta.dtb"), "/cpu-clock", "clock-frequency", str(CPU_CLOCK)], check=True)
    loads = [(work / "kernel.raw", segment.gpa), (work / "malta.dtb", tree)]
    if "initrd" in parts:
        loads.append((payload / "initrd", int(parts["initrd"]["gpa"], 16)))
    argv = [qemu, "-M", "malta", "-cpu", cpu, "-m", str(summary["ram_mb"]), "-bios", str(work / "rom")]
    for path, address in loads:
        argv += ["-device", f"loader,file={path},addr=0x{address:x},force-raw=on"]
    # Ctrl-C is for the guest. The first two UARTs are on the ISA bus; the payload's console is the third.
    argv += ["-chardev", "stdio,id=console,signal=off", "-serial", "null", "-serial", "null", "-serial", "chardev:console"]
    return [*argv, "-net", "none", "-display", "none", "-monitor", "none"]
