# SPDX-License-Identifier: BSD-2-Clause
"""What is measured of disks and networks: the command in the guest, and how its values are found in the output."""

import re
from dataclasses import dataclass

from peer import ADDRESS

#: of the disk that is measured: it stays in the memory of the build host
DISK_BYTES = 256 << 20
FIO = ("/usr/bin/fio --name=v --filename=/dev/vda --ioengine=libaio --direct=1 --minimal --norandommap "
       "--random_generator=tausworthe64 ")  # fmt: skip
#: what a program needs before and after it measures: the same with nothing to do
START = {"/usr/bin/fio": f"{FIO}--rw=read --bs=4k --size=4k", "/usr/bin/iperf3": "/usr/bin/iperf3 --version", "/bin/ping": "/bin/ping -V"}

#: Mbit in what iperf3 calls MBytes and GBytes
MBIT_OF = {"M": 8.388608, "G": 8.388608 * 1024}


@dataclass(frozen=True)
class IoItem:
    """`command` is one program with its options; `find` returns (value, amount moved) of the output, or None."""

    name: str
    unit: str
    higher_is_better: bool
    command: str
    find: callable

    @property
    def start(self):
        """The command with nothing to do."""
        return START[self.command.split()[0]]


def _fio(name, unit, options, seconds):
    """An item of fio: MB/s or requests per second, of its line for programs (fio(1), TERSE OUTPUT, version 3)."""

    def find(output):
        lines = [line.split(";") for line in output.splitlines() if line.startswith("3;fio-")]
        if len(lines) != 1 or lines[0][4] != "0":
            return None
        # kB in all, kB/s, requests/s of reads, and of writes.
        moved, rate, requests = (sum(map(float, (lines[0][at], lines[0][at + 41]))) for at in (5, 6, 7))
        return (rate * 1.024e-3, moved * 1.024e-3) if unit == "MB/s" else (requests, moved / 4)

    return IoItem(name, unit, True, f"{FIO}--time_based --runtime={seconds} {options}", find)


def _iperf(name, options, seconds):
    def find(output):
        found = re.search(r"(?m)^\[ *\d+\] +\S+ +sec +([\d.]+) ([MG])Bytes +([\d.]+) Mbits/sec +receiver", output)
        return found and (float(found[3]), float(found[1]) * MBIT_OF[found[2]])

    command = f"/usr/bin/iperf3 --client {ADDRESS} --format m --time {seconds} --interval 0 {options}"
    return IoItem(name, "Mbit/s", True, command, find)


def _ping(name, count):
    def find(output):
        found = re.search(r"(\d+) received.*= [\d.]+/([\d.]+)/", output, re.S)
        return (float(found[2]) * 1000, count) if found and int(found[1]) == count else None

    # Each is sent when the last one has come back.
    return IoItem(name, "us", False, f"/bin/ping -q -A -c {count} {ADDRESS}", find)


def items(quick):
    """All of them."""
    seconds = 2 if quick else 5
    for kind in ("read", "write"):
        yield _fio(f"disk-sequential-{kind}", "MB/s", f"--rw={kind} --bs=1M --iodepth=4", seconds)
    for kind in ("read", "write"):
        yield _fio(f"disk-random-{kind}", "IOPS", f"--rw=rand{kind} --bs=4k --iodepth=16", seconds)
    for kind in ("read", "write"):
        yield _fio(f"disk-random-{kind}-1", "IOPS", f"--rw=rand{kind} --bs=4k --iodepth=1", seconds)
    yield _iperf("net-send", "", seconds)
    yield _iperf("net-receive", "--reverse", seconds)
    yield _ping("net-round-trip", 500 * seconds)
