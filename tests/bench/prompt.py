# SPDX-License-Identifier: BSD-2-Clause
"""A guest at its shell prompt, in husk or in QEMU, and what it needs of the host to do something."""

import os
import re
import time
from dataclasses import dataclass

import pexpect

PROMPT = "~ # "
TIMEOUT = 120
CTRL_A_C = "\x01c"
TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass
class Cost:
    """What something cost: seconds on the clock, seconds of CPU, guest instructions (None if not known)."""

    wall: float
    cpu: float
    instructions: int | None

    def million_per(self, seconds):
        """Million guest instructions per second of `seconds`."""
        return self.instructions / seconds / 1e6


def cpu_seconds(pid):
    """CPU time of a process and all its threads, user and system (proc(5), /proc/PID/stat)."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


class Guest:
    """A process that runs a guest, with its console on a pseudo terminal."""

    def __init__(self, argv, counts, timeout=TIMEOUT):
        """Starts it and waits for the prompt; `counts`: the image has a monitor that counts instructions."""
        self.counts = counts
        start = time.monotonic()
        argv = [str(word) for word in argv]
        self.child = pexpect.spawn(argv[0], argv[1:], timeout=timeout, encoding="utf-8", codec_errors="replace")
        self.child.expect_exact(PROMPT)
        wall = time.monotonic() - start
        cpu = cpu_seconds(self.child.pid)
        self.boot = Cost(wall, cpu, self.instructions())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.close(force=True)

    def instructions(self):
        """Guest instructions so far, asked of the monitor."""
        if not self.counts:
            return None
        self.child.send(CTRL_A_C)
        self.child.expect_exact("(husk) ")
        self.child.send("info stats\r")
        self.child.expect(r"vCPU 0: (\d+) instructions")
        count = int(self.child.match[1])
        self.child.expect_exact("(husk) ")
        self.child.send(CTRL_A_C)
        return count

    def run(self, command):
        """Runs a shell command; returns its Cost and its output."""
        before = self.instructions()
        cpu = cpu_seconds(self.child.pid)
        # What the guest echoes must not look like the marker.
        self.child.send(f"{command}; echo end-$((1+1))\r")
        start = time.monotonic()
        self.child.expect("end-2\r+\n")
        wall = time.monotonic() - start
        cpu = cpu_seconds(self.child.pid) - cpu
        output = self.child.before
        self.child.expect_exact(PROMPT)
        after = self.instructions()
        return Cost(wall, cpu, None if before is None else after - before), output

    def clock_error(self, seconds):
        """Per cent by which the guest's clock is fast (or slow, if negative), over a sleep."""
        ask = "cut -d' ' -f1 /proc/uptime"
        self.child.send(f"{ask}; sleep {seconds}; {ask}\r")
        readings = []
        for _ in range(2):
            self.child.expect(re.compile(r"\r\n(\d+\.\d\d)(?=\r+\n)"))
            readings.append((float(self.child.match[1]), time.monotonic()))
        self.child.expect_exact(PROMPT)
        (guest0, host0), (guest1, host1) = readings
        return ((guest1 - guest0) / (host1 - host0) - 1) * 100
