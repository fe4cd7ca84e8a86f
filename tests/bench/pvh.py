#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make bench-pvh`: how fast an x86-64 guest starts under husk, beside no hypervisor at all and beside Xen.

The same Debian kernel and initial RAM disk are started in turns, N times each, all emulated by QEMU on one CPU of this
computer: directly by PVH, in the image pc_pvh, and as PVH dom0 of Debian's Xen. Every time is from the start of QEMU
to the first line of init; medians count. Exits are counted by the monitor over one boot, and instructions per
operation by a guest of our own (tests/functional/guests/x86_costs.c), exactly and the same every time, with QEMU's
instruction counter as its clock: as the guest of husk and as dom0 of Xen.
"""

import argparse
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pexpect

import stub

sys.dont_write_bytecode = True
TREE = Path(__file__).resolve().parents[2]
MARK = b"Welcome to Linux"
PATIENCE = 300
XEN = "xen-hypervisor-4.17-amd64"
# A CPU without RDTSCP, whose exit Xen takes for an RDTSC of the wrong length here.
QEMU = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "qemu64,+svm,+npt", "-nodefaults", "-no-reboot",
        "-display", "none", "-monitor", "none", "-chardev", "stdio,id=c,signal=off", "-serial", "chardev:c",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-m", "640"]  # fmt: skip
#: husk's time over that of the others, at most
BARS = {"direct": 1.25, "xen": 0.35}
#: from the image's first instruction to the guest's, at most, without copying the payload
ENTRY_MS = 20
#: what the guest measures, under its own names
OPERATIONS = {
    "hypercall": "a hypercall that does nothing (XENVER_version)",
    "event": "an event to oneself: send, upcall, handler",
    "timer": "one shot of the paravirtual timer: program, fire, upcall, handler",
    "cpuid": "an exit for CPUID",
    "apic-timer": "one shot of the local APIC's timer: program, fire, interrupt, handler",
}


def pinned(command):
    """A command on one CPU, the last one that we may use."""
    return ["taskset", "-c", str(max(os.sched_getaffinity(0))), *map(str, command)]


def seconds_to_init(command):
    """Seconds from the start of a command to the first line of init on its output."""
    start = time.monotonic()
    with subprocess.Popen(pinned(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        said = b""
        while MARK not in said:
            data = os.read(process.stdout.fileno(), 65536)
            said += data
            if not data or time.monotonic() - start > PATIENCE:
                process.kill()
                sys.exit(f"bench: {command[-1]}: no init within {PATIENCE} s\n{said.decode(errors='replace')[-2000:]}")
        took = time.monotonic() - start
        process.kill()
    return took


def xen_kernel(cache, out):
    """Debian's Xen, checked by apt's signatures, unpacked for QEMU; returns its path."""
    sys.path.insert(0, str(TREE / "images"))
    import debian  # pylint: disable=import-outside-toplevel

    archive = debian.Archive(cache, "bookworm", "amd64", out / "xen.json")
    _, _, data = archive.file(XEN, "boot/xen-*.gz")
    archive.save_pins()
    path = out / "xen"
    path.write_bytes(gzip.decompress(data))
    return path


def commands(image, payload, xen):
    """The three ways to start the kernel, by name."""
    kernel, initrd = payload / "kernel", payload / "initrd"
    return {
        "direct": [*QEMU, "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0"],
        "husk": [*QEMU, "-kernel", image],
        "xen": [*QEMU, *on_xen(xen, f"{kernel} console=hvc0,{initrd}")],
    }


def on_xen(xen, modules):
    """Options of QEMU that start Xen with a PVH dom0, which must have an IOMMU."""
    return ["-device", "amd-iommu", "-kernel", xen, "-initrd", modules, "-append", "dom0=pvh dom0_mem=256M console=com1 com1=115200"]


def exits(image):
    """Exits of one boot by cause, as the monitor counts them at the prompt."""
    child = pexpect.spawn(QEMU[0], [*map(str, QEMU[1:]), "-kernel", str(image)], encoding="utf-8", codec_errors="replace", timeout=PATIENCE)
    child.expect_exact("~ # ")
    child.send("\x01cexits\r")
    child.expect(r"vCPU 0: (\d+) exits\r+\n((?: +\w+ +\d+\r+\n)+)")
    counts = {name: int(count) for name, count in re.findall(r"(\w+) +(\d+)", child.match[2])}
    counts["all"] = int(child.match[1])
    child.close(force=True)
    return counts


def milliseconds_to_guest(folder, out):
    """From the image's first instruction to the first entry into the guest, without copying the kernel, on a computer in QEMU."""
    at = stub.symbols(folder / "husk.debug")
    path = out / "gdb"
    path.unlink(missing_ok=True)
    with stub.Stub(pinned([*QEMU[: QEMU.index("-chardev")], "-m", "640", "-serial", "null", "-kernel", folder / "husk"]), path) as computer:
        computer.go_to(at["start_pvh"])
        before = computer.go_to(at["payload_load_elf"])
        computer.go_to(at["payload_elf_note"])
        return 1000 * (before + computer.go_to(at["svm_enter"]))


def instructions(options):
    """Instructions of the whole computer for each of some operations of our own guest, which `options` start."""
    command = [*QEMU, "-icount", "shift=0,sleep=off", *options]
    child = pexpect.spawn(command[0], [str(word) for word in command[1:]], encoding="utf-8", codec_errors="replace", timeout=PATIENCE)
    try:
        child.expect_exact("costs are told")
    except (pexpect.TIMEOUT, pexpect.EOF):
        sys.exit(f"bench: {options[-1]}: the guest told no costs\n{child.before[-2000:]}")
    found = dict(re.findall(r"^([\w-]+) (\d+)\r*$", child.before, re.M))
    child.close(force=True)
    if missing := set(OPERATIONS) - set(found):
        sys.exit(f"bench: {options[-1]}: the guest told no costs of {', '.join(sorted(missing))}")
    return {name: int(found[name]) for name in OPERATIONS}


def costs(guest, xen, out):
    """Instructions for each operation, under husk and under Xen."""
    image = guest.in_mode(guest.small_x86_guest("pc_pvh") / "husk", "c", out)
    kernel = guest.in_mode(guest.small_x86_kernel(), "c", out, "x86-costs")
    return {"husk": instructions(["-kernel", image]), "xen": instructions(on_xen(xen, kernel))}


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, type=Path, help="folder for builds and results")
    parser.add_argument("--make", default="make", help="the program make")
    parser.add_argument("--count", type=int, default=5, help="boots of each kind")
    parser.add_argument("--only", help="ignored: there is one guest here")
    parser.add_argument("--variable", action="append", default=[], help="NAME=VALUE for make")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    os.environ |= {"HUSK_OUT": str(args.out.resolve() / "pvh"), "HUSK_MAKE": args.make, "HUSK_VARIABLES": " ".join(args.variable)}
    sys.path.insert(0, str(TREE / "tests/functional"))
    import conftest  # pylint: disable=import-outside-toplevel
    import guest  # pylint: disable=import-outside-toplevel

    folder = conftest.build("pc_pvh")
    cache = os.environ.get("HUSK_CACHE") or os.path.expanduser(os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "husk"))
    xen = xen_kernel(cache, args.out)
    ways = commands(folder / "husk", folder / "payload", xen)
    times, entries = {name: [] for name in ways}, []
    for _ in range(args.count):
        entries.append(milliseconds_to_guest(folder, args.out))
        for name, command in ways.items():
            times[name].append(seconds_to_init(command))
    medians = {name: statistics.median(values) for name, values in times.items()}
    result = {
        **{f"{name}_s": round(value, 3) for name, value in medians.items()},
        "entry_ms": round(statistics.median(entries), 1),
        "exits": exits(folder / "husk"),
        "instructions": costs(guest, xen, args.out),
        "image_bytes": (folder / "husk").stat().st_size,
        "runs": {name: [round(value, 3) for value in values] for name, values in times.items()},
    }
    (args.out / "pvh.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, value in medians.items():
        print(f"{name:7} {value:7.2f} s to the first line of init")
    for name, bar in BARS.items():
        ratio = medians["husk"] / medians[name]
        print(f"husk is {ratio:.2f} x {name}, goal at most {bar}: {'reached' if ratio <= bar else 'missed'}")
    print(f"first entry into the guest {result['entry_ms']} ms after the image's first instruction, goal at most {ENTRY_MS}: "
          + ("reached" if result["entry_ms"] <= ENTRY_MS else "missed"))  # fmt: skip
    print("exits: " + ", ".join(f"{cause} {count}" for cause, count in result["exits"].items()))
    print("instructions:        husk      Xen")
    for name, what in OPERATIONS.items():
        print(f"  {name:12} {result['instructions']['husk'][name]:10} {result['instructions']['xen'][name]:8}  {what}")
    print(f"wrote {args.out / 'pvh.json'}")


if __name__ == "__main__":
    main()
