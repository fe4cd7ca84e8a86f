# SPDX-License-Identifier: BSD-2-Clause
"""Ctrl-A and the monitor, on a guest that runs."""

import re
import time

import pytest

from guest import PROMPT, Guest, make_run

ESCAPE = "\x01"
MONITOR = "(husk) "
KEYS = """\
C-a h    print this help
C-a x    exit husk
C-a c    switch between guest console and monitor
C-a n    give the keys to the next of 2 consoles
C-a b    send break to the guest
C-a t    toggle time stamps before the lines of the guest
C-a C-a  send C-a to the guest (so does C-a a)
"""


@pytest.fixture(scope="module", name="guest")
def boot_guest(built):
    """A guest at its prompt. Every test leaves it there."""
    with Guest(*make_run(built("linux_octeon"))) as guest:
        guest.boot()
        yield guest


class Monitor:
    """The monitor of a guest, while it has the keys."""

    def __init__(self, guest):
        self.guest = guest

    def __enter__(self):
        self.guest.type(ESCAPE + "c")
        self.guest.see(MONITOR)
        return self

    def __exit__(self, *_):
        self.guest.type(ESCAPE + "c")

    def registers(self):
        """What info registers prints, once the guest waits in its kernel: it may just have printed its prompt."""
        text = self.do("info registers")
        while not re.match(r"vCPU 0 at 0xffffffff81\w+ \(\w+\+0x\w+\)\n", text):
            time.sleep(0.1)
            text = self.do("info registers")
        return text

    def do(self, command):
        """Gives a command and returns what it printed."""
        self.guest.type(command + "\r")
        self.guest.see_line(command)
        return self.guest.see(MONITOR).replace("\r\n", "\n")


@pytest.fixture(name="monitor")
def open_monitor(guest):
    """The monitor; the guest answers when the test is done."""
    with Monitor(guest) as monitor:
        yield monitor
    assert guest.run("echo alive") == "alive\n"


# --- keys


@pytest.mark.parametrize("key", "h?")
def test_help(guest, key):
    """Ctrl-A h lists the keys, and the guest sees none of it."""
    guest.type(ESCAPE + key)
    guest.see(KEYS.replace("\n", "\r\n"))
    assert guest.run("echo alive") == "alive\n"


def test_unknown_key(guest):
    """An unknown key after Ctrl-A is swallowed, and only that."""
    guest.type(ESCAPE + "z")
    assert guest.run("echo alive") == "alive\n"


def test_escape_for_the_guest(guest):
    """Ctrl-A a and Ctrl-A Ctrl-A give the guest one Ctrl-A each."""
    guest.type("echo rea''dy; head -n 1 | od -An -tx1\r")
    guest.see_line("ready")
    guest.type(f"x{ESCAPE}a{ESCAPE}{ESCAPE}y\r")
    guest.see_line(" 78 01 01 79 0a")
    guest.see(PROMPT)


def test_break(guest):
    """Ctrl-A b sends a break: the kernel takes the next key as a command to itself."""
    guest.type(ESCAPE + "bh")
    guest.see("sysrq: HELP")
    assert guest.run("echo alive") == "alive\n"


def test_time_stamps(guest):
    """Ctrl-A t puts the time before each line of the guest, and takes it away again."""
    guest.type(ESCAPE + "t")
    guest.type("seq 3\r")
    stamp = r"\[\d\d:\d\d:\d\d\.\d{3}\] "
    guest.match(rf"\n{stamp}1\r\n{stamp}2\r\n{stamp}3\r\n{stamp}{PROMPT}")
    guest.type(ESCAPE + "t")
    guest.type("seq 3\r")
    guest.match(rf"\r\n1\r\n2\r\n3\r\n{PROMPT}")


# --- monitor


def test_guest_goes_on(guest):
    """The guest runs while the monitor is shown: its output comes, time passes, and keys are not its business."""
    guest.type("for i in $(seq 1000); do echo tick-$i-; sleep 0.1; done\r")
    guest.see("tick-3-")
    with Monitor(guest) as monitor:
        guest.see("tick-6-")
        first = int(re.search(r"vCPU 0: (\d+) instructions", monitor.do("info stats"))[1])
        guest.type("\x03")
        guest.see("^C")
        guest.see("tick-9-")
        assert int(re.search(r"vCPU 0: (\d+) instructions", monitor.do("info stats"))[1]) > first
    guest.match(r"tick-\d+-")
    guest.type("\x03")
    guest.see(PROMPT)
    assert guest.run("echo alive") == "alive\n"


def test_commands_are_listed(monitor):
    """help lists every command; one can be asked for, and abbreviated."""
    listed = re.findall(r"^(\w+) ", monitor.do("help"), re.M)
    assert {"help", "info", "log", "quit", "reset", "x", "xp"} <= set(listed) and listed[:-1] == sorted(listed[:-1])
    assert monitor.do("help xp") == "xp ADDRESS [COUNT]        dumps guest memory at a physical address\n"
    assert monitor.do("he xp") == monitor.do("help xp")


@pytest.mark.parametrize("line, answer", [
    ("frobnicate", "frobnicate: no such command; 'help' lists the commands"),
    ("in" + "x" * 20, "no such command"),
    ("x", "usage: x ADDRESS [COUNT]"),
    ("x 12z", "12z is not a number"),
    ("x $nothing", "no register is called nothing"),
    ("xp 0x10000000", "which is not RAM"),
    ("xp 0xfffffffffffffff8 64", "which is not RAM"),
    ("x 0x1180000000800 4", "is not mapped"),
    ("log loud", "usage: log"),
    ("info weather", "there is no information about weather"),
    ("reset now", "usage: reset"),
    ("quit now", "usage: quit"),
])
def test_mistakes(monitor, line, answer):
    """A mistake is answered, and changes nothing."""
    assert answer in monitor.do(line)


def test_line_editing(monitor):
    """Backspace, Ctrl-U, Ctrl-C and the history work."""
    monitor.guest.type("hexx\x7f\x7flp xp\r")
    assert "dumps guest memory" in monitor.guest.see(MONITOR)
    monitor.guest.type("rubbish\x15help log\r")
    monitor.guest.see("sets what husk itself says")
    monitor.guest.see(MONITOR)
    monitor.guest.type("reset\x03")
    monitor.guest.see(MONITOR)
    monitor.guest.type("\x1b[A\x1b[A\r")
    monitor.guest.see_line("dumps guest memory at a physical address")
    monitor.guest.see(MONITOR)


def test_info_registers(monitor):
    """All registers by name, and where the CPU is by symbol."""
    text = monitor.registers()
    names = re.findall(r"(\w+) +0x[0-9a-f]{8,16}(?:  |\n)", text)
    assert len(set(names)) == len(names) and {"pc", "zero", "at", "v0", "a0", "t9", "gp", "sp", "ra", "hi", "lo", "status",
                                              "cause", "epc", "badvaddr", "entryhi", "count"} <= set(names)  # fmt: skip


def test_info_system(monitor):
    """CP0, TLB and the last exceptions."""
    monitor.registers()
    text = monitor.do("info system")
    assert re.search(r"^kernel mode, Status [0-9a-f]{8} Cause [0-9a-f]{8} EPC [0-9a-f]{16} ", text, re.M)
    assert re.search(r"^TLB +\d+: [0-9a-f]{16} \+ \w+ asid \w\w", text, re.M)
    assert re.search(r"^  system call +EPC ", text, re.M)


def test_info_devices(monitor):
    """The board, its devices with what they did, and the last accesses."""
    text = monitor.do("info devices")
    assert "octeon: CN63XX, 1 core, 256 MiB of RAM, little endian; unmodelled registers: 0 CSR, 0 CIU accesses\n" in text
    assert re.search(r"^uart0 +0x1180000000800-0x1180000000bff  \d+ reads, \d+ writes$", text, re.M)
    assert re.search(r"^ciu +0x1070000000000-\w+  \d+ reads, \d+ writes$", text, re.M)
    assert len(re.findall(r"^  (?:read |write) \d bytes at 0x\w+ \w", text, re.M)) == 16


def test_info_features(monitor):
    """What is in the image, with the digest of the core."""
    text = monitor.do("info features")
    assert re.match(r"husk \S+, configuration linux_octeon, core [0-9a-f]{64}\n", text)
    assert re.search(r"^engine-dbt +\S", text, re.M) and re.search(r"^monitor +commands", text, re.M)


def test_info_memory(monitor):
    """Guest RAM."""
    assert monitor.do("info memory") == "RAM 0x0-0xfffffff  262144 KiB\n"


def test_info_stats(monitor):
    """Counts since the start."""
    text = monitor.do("info stats")
    assert re.search(r"^running for \d+\.\d{3} s, reset 0 times\nvCPU 0: \d+ instructions, idle \d+ times", text)
    assert "engine dbt, timer on-demand, machine octeon, host linux\n" in text


def test_memory_dumps(monitor):
    """x translates virtual addresses, xp takes physical ones; counts and registers are understood."""
    physical = monitor.do("xp 0x1100000 32")
    assert re.fullmatch(r"(0x00000000011000[01]0:( [0-9a-f]{2}){16}  .{16}\n){2}", physical)
    assert monitor.do("x 0xffffffff81100000 32") == physical.replace("0x0000000001", "0xffffffff81")
    assert monitor.do("x 0x8000000001100000 32") == physical.replace("0x0000000001", "0x8000000001")
    assert len(monitor.do("xp 0x11000").splitlines()) == 4
    # Bootinfo: version 1.4, in the byte order of the guest
    assert monitor.do("xp 0x11000 8") == f"0x{0x11000:016x}: 04 00 00 00 01 00 00 00{' ' * 26}........\n"
    monitor.registers()
    assert re.match(r"0xffffffff81\w+: ", monitor.do("x $pc 4"))
    many = monitor.do("xp 0 100000")
    assert "at most 0x1000 bytes at a time" in many and len(many.splitlines()) == 257


def test_log(monitor):
    """The level of husk's own messages changes at once."""
    assert monitor.do("log error") == ""
    monitor.do("reset now")  # an answer, not a message: it comes at any level
    assert monitor.do("log info") == ""


# --- reset and quit


def test_reset(guest):
    """reset starts the guest again from the payload."""
    guest.run("echo stale > /stale")
    guest.type(ESCAPE + "c")
    guest.see(MONITOR)
    guest.type("reset\r")
    guest.see("husk: guest reset")
    guest.see("Linux version")
    guest.type(ESCAPE + "c")
    guest.boot()
    assert "No such file" in guest.run("cat /stale")
    with Monitor(guest) as monitor:
        assert "reset 1 times" in monitor.do("info stats")
    guest.run(":")


@pytest.mark.parametrize("keys", [ESCAPE + "x", ESCAPE + "cquit\r", ESCAPE + "c" + ESCAPE + "x"])
def test_quit(built, keys):
    """Ctrl-A x ends the run with status 0 from anywhere, and so does quit."""
    with Guest(built("linux_octeon") / "husk") as guest:
        guest.see("Linux version")
        guest.type(keys)
        assert guest.end().endswith("husk: ended by the user\r\n")
        assert guest.status == 0
