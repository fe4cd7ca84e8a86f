# SPDX-License-Identifier: BSD-2-Clause
"""gdb-multiarch and the GDB stub: Debian's Octeon kernel from its first instruction to the prompt, on both hosts."""

import os
import re
import socket
import time

import pexpect
import pytest

from guest import variant

PAUSE = 4  # seconds that a guest is stopped
PATIENCE = 120  # seconds that nothing may take; no test depends on how long things really take
GDB_PROMPT = "(gdb) "
SHELL_PROMPT = "~ # "
CTRL_C = "\x03"
DBT = {"ENGINE_DBT": "y", "ENGINE_INTERP": "n"}
IMAGES = {
    "linux_gdb": ("linux", "linux_octeon", {}),
    "linux_gdb_dbt": ("linux", "linux_octeon", DBT),
    "pc_gdb": ("pc", "pc_octeon", DBT),
}


@pytest.fixture(scope="module", params=IMAGES, name="host")
def build_host(request):
    """Name of a host, and the folder of an image for it with the stub."""
    host, base, values = IMAGES[request.param]
    return host, variant(request.param, base, GDB_STUB="y", **values)


#: ways to run four vCPUs
SEVERAL = {
    "threads": {},
    "threads-interp": {"ENGINE_INTERP": True},
    "turns": {"SMP_ONE_CPU": True},
    "icount": {"SMP_ONE_CPU": True, "TIMER_ICOUNT": True},
}


class Guest:
    """A guest on its console, and where its stub listens."""

    def __init__(self, host, out, wait=True):
        options = ["gdb"] if wait else []
        if host == "linux":
            self.console = self.spawn(f"{out}/husk", [*options, "gdb-port=0"])
            self.console.expect(r"husk: gdb: [^\r\n]* at (127\.0\.0\.1:\d+)")
            self.address = self.console.match[1]
        else:
            self.address = f"127.0.0.1:{free_port()}"
            self.console = self.spawn("qemu-system-x86_64", [
                "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "512", "-nodefaults", "-no-reboot",
                "-display", "none", "-serial", "stdio", "-serial", f"tcp:{self.address},server=on,wait=off",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-kernel", f"{out}/husk",
                "-append", " ".join(options)])
            self.console.expect("husk: gdb: [^\r\n]* at COM2")

    @staticmethod
    def spawn(program, arguments):
        """A program on a terminal of its own."""
        return pexpect.spawn(program, arguments, timeout=PATIENCE, encoding="latin-1", echo=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.console.close(force=True)

    def shell(self, command):
        """Give the guest's shell a command; returns what it printed."""
        self.console.send(command + "\r")
        self.console.expect_exact(SHELL_PROMPT)
        return self.console.before.replace("\r", "")


def uptime(guest):
    """Seconds that the guest believes to run."""
    return float(re.search(r"(\d+\.\d+) \d", guest.shell("cat /proc/uptime"))[1])


class Gdb:
    """A debugger with the kernel's symbols, connected to a guest."""

    def __init__(self, guest, kernel):
        self.child = pexpect.spawn("gdb-multiarch", ["-q", "-nx", "-ex", "set pagination off", "-ex", "set confirm off",
                                                     "-ex", "set style enabled off", "-ex", "set width 0", kernel],
                                   timeout=PATIENCE, encoding="latin-1", echo=False, env={**os.environ, "TERM": "dumb"})
        self.child.expect_exact(GDB_PROMPT)
        said = self.do(f"target remote {guest.address}")
        assert "warning" not in said.lower(), said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.close(force=True)

    def do(self, command):
        """Give a command; returns what it printed."""
        self.child.sendline(command)
        self.child.expect_exact(GDB_PROMPT)
        return self.child.before.replace("\r", "")

    def number(self, expression):
        """Value of an expression as an unsigned number."""
        return int(re.search(r"= (0x[0-9a-f]+)", self.do(f"print/x {expression}"))[1], 16)


def free_port():
    """A TCP port that nobody listens at."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def debug(guest, out):
    """A debugger for a guest."""
    return Gdb(guest, f"{out}/payload/kernel")


def check_start(gdb):
    """The guest stands before its first instruction; registers and memory can be read and written."""
    assert gdb.number("$pc") == gdb.number("(unsigned long)&kernel_entry")
    assert "kernel_entry" in gdb.do("x/i $pc")
    assert "Linux version 6" in gdb.do("x/s &linux_banner")
    gdb.do("set var $t0 = 0x123456789abcdef")
    assert gdb.number("$t0") == 0x123456789ABCDEF
    gdb.do("set var *(unsigned short *)&linux_banner = 0x5858")
    assert '"XXnux version' in gdb.do("x/s &linux_banner")
    gdb.do("set var *(unsigned short *)&linux_banner = 0x694c")
    assert "Cannot access memory" in gdb.do("x/x 0xc000000000000000"), "not mapped"
    assert "Cannot access memory" in gdb.do("x/x 0x9001180000000800"), "the first UART"


def check_breakpoint(gdb):
    """The guest stops at a function, with the stack of its callers, and steps from there."""
    gdb.do("break start_kernel")
    assert re.search(r"Breakpoint 1, 0x\w+ in start_kernel", gdb.do("continue"))
    assert re.search(r"#0 .* start_kernel.*\n#1 .* kernel_entry", gdb.do("backtrace"))
    before = gdb.number("$pc")
    gdb.do("delete")
    gdb.do("stepi")
    assert gdb.number("$pc") != before
    for _ in range(20):
        gdb.do("stepi")
    gdb.do("hbreak rest_init")
    assert re.search(r"Breakpoint 2, 0x\w+ in rest_init", gdb.do("continue"))
    gdb.do("delete")


def check_watchpoint(gdb):
    """A change of a variable stops the guest, twice, and a function returns to its caller."""
    assert "Hardware watchpoint" in gdb.do("watch *(int *)&system_state")
    for old, new in ((0, 1), (1, 2)):
        assert f"Old value = {old}\nNew value = {new}" in gdb.do("continue")
    gdb.do("delete")
    gdb.do("hbreak vfs_read")
    gdb.do("continue")
    gdb.do("delete")
    caller = gdb.number("$ra")
    gdb.do("finish")
    assert gdb.number("$pc") == caller


def test_boot_under_the_debugger(host):
    """From the first instruction to the prompt, with breakpoints and watchpoints on the way; then the debugger leaves."""
    name, out = host
    with Guest(name, out) as guest, debug(guest, out) as gdb:
        check_start(gdb)
        check_breakpoint(gdb)
        check_watchpoint(gdb)
        assert "vCPU 0" in gdb.do("info threads")
        assert f"host {name}" in gdb.do("monitor info stats")
        assert "no such command" in gdb.do("monitor nonsense")
        assert "detached" in gdb.do("detach")
        guest.console.expect_exact(SHELL_PROMPT)
        assert "mips64" in guest.shell("uname -m")


def test_attach_to_a_running_guest(host):
    """A debugger comes and goes as it likes; Ctrl-C stops the guest, and breakpoints do not outlive their debugger."""
    name, out = host
    with Guest(name, out, wait=False) as guest:
        guest.console.expect_exact(SHELL_PROMPT)
        with debug(guest, out) as gdb:
            gdb.child.sendline("continue")
            gdb.child.expect_exact("Continuing.")
            assert "hello" in guest.shell("echo hello")
            start, before = time.monotonic(), uptime(guest)
            gdb.child.send(CTRL_C)
            gdb.child.expect_exact("SIGINT")
            gdb.child.expect_exact(GDB_PROMPT)
            gdb.do("break vfs_read")
            time.sleep(PAUSE)
            gdb.child.sendline("continue")
            guest.console.send("cat /proc/version\r")
            gdb.child.expect(r"Breakpoint 1, 0x\w+ in vfs_read")
            gdb.child.expect_exact(GDB_PROMPT)
            assert "detached" in gdb.do("detach")
        guest.console.expect_exact("Linux version")
        guest.console.expect_exact(SHELL_PROMPT)
        # The guest's time stood still with it.
        assert uptime(guest) - before < time.monotonic() - start - PAUSE + 1
        with debug(guest, out) as gdb:
            gdb.do("monitor quit")
            gdb.child.sendline("continue")
            guest.console.expect("ended by the user")
            guest.console.expect(pexpect.EOF)


@pytest.mark.parametrize("kind", SEVERAL)
def test_several_vcpus(kind):
    """Each vCPU is a thread: all stop with one, which is named; registers are each one's own, and so is a step."""
    out = variant(f"gdb-smp-{kind}", "linux_octeon_smp", GDB_STUB=True, **SEVERAL[kind])
    with Guest("linux", out) as guest, debug(guest, out) as gdb:
        assert len(re.findall(r"vCPU \d of ", gdb.do("info threads"))) == 4
        gdb.child.sendline("continue")
        guest.console.expect_exact(SHELL_PROMPT)
        gdb.child.send(CTRL_C)
        gdb.child.expect_exact("SIGINT")
        gdb.child.expect_exact(GDB_PROMPT)
        gdb.do("break version_proc_show")
        for cpu in (2, 1, 3):
            gdb.child.sendline("continue")
            guest.console.send(f"taskset {1 << cpu:x} cat /proc/version\r")
            gdb.child.expect(rf"Thread {cpu + 1} hit Breakpoint 1, 0x\w+ in version_proc_show")
            gdb.child.expect_exact(GDB_PROMPT)
            check_step(gdb, cpu + 1)
        assert "detached" in gdb.do("detach")
        guest.console.send("echo all-$((3 + 4))\r")
        guest.console.expect_exact("all-7")


def check_step(gdb, thread):
    """A step is the vCPU's own; the others' registers can be looked at."""
    before = gdb.number("$pc")
    gdb.do("stepi")
    assert gdb.number("$pc") == before + 4
    assert f"is {thread} " in gdb.do("thread")
    stacks = set()
    for other in range(1, 5):
        gdb.do(f"thread {other}")
        stacks.add(gdb.number("$sp"))
    assert len(stacks) == 4
    gdb.do(f"thread {thread}")


def test_lost_debugger(host):
    """A debugger that just ends leaves a guest that runs, on a host that can tell."""
    name, out = host
    if name != "linux":
        pytest.skip("a serial line does not tell that its other end is gone")
    with Guest(name, out) as guest:
        with debug(guest, out) as gdb:
            gdb.do("break start_kernel")
            gdb.child.kill(9)
        guest.console.expect_exact("the debugger left")
        guest.console.expect_exact(SHELL_PROMPT)


def test_hostile_peer(host):
    """Bytes that are no protocol do not disturb the guest; the next debugger is served."""
    name, out = host
    with Guest(name, out, wait=False) as guest:
        guest.console.expect_exact(SHELL_PROMPT)
        port = int(guest.address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(b"$m0,ffffffffffffffff#00" + bytes(range(256)) * 100 + b"$" + b"A" * 100000)
        with debug(guest, out) as gdb:
            assert gdb.number("$pc") != 0
            gdb.do("detach")
        assert "hello" in guest.shell("echo hello")


def test_port_in_use(host):
    """A guest that is to wait for a debugger ends at once if none can come; one that is not goes on."""
    name, out = host
    if name != "linux":
        pytest.skip("COM2 is nobody else's")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = f"gdb-port={s.getsockname()[1]}"
        waiting = Guest.spawn(f"{out}/husk", ["gdb", port])
        waiting.expect("cannot listen at TCP port")
        waiting.expect(pexpect.EOF)
        waiting.close()
        assert waiting.exitstatus == 1
        running = Guest.spawn(f"{out}/husk", [port])
        running.expect("Linux version")
        running.close(force=True)


def test_options(host):
    """The options are in the help text, and wrong values are refused."""
    name, out = host
    if name != "linux":
        pytest.skip("the same code")
    for arguments, expected in ((["help"], r"(?s)(?=.*\n  gdb +wait )(?=.*\n  gdb-port=N +wait at)"), (["gdb-port=65536"], "wrong value"),
                                (["gdb-port="], "wrong value"), (["gdbx"], "is unknown"), (["--gdb-port=x"], "wrong value")):
        child = Guest.spawn(f"{out}/husk", arguments)
        child.expect(pexpect.EOF)
        assert re.search(expected, child.before.replace("\r", "")), child.before
