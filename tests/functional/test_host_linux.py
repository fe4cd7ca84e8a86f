# SPDX-License-Identifier: BSD-2-Clause
"""The host `linux`: a probe in place of the core, linked with the host's real objects and watched from outside."""

import contextlib
import ctypes
import fcntl
import os
import re
import resource
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pexpect
import pexpect.fdpexpect
import pytest
from elftools.elf.elffile import ELFFile

from conftest import build

PATIENCE = 30  # seconds that nothing may take; no test depends on how long things really take

# Links the probe with what the Makefile says about the host.
LINK = (
    "--eval=host-linux-probe: ; "
    "+@$(MAKE) $(addprefix $(O)/,$(objs-host-linux) tests/functional/host_linux_probe.o) && "
    "$(CC) $(LDFLAGS) $(link-flags) -Wl,-T,$(link-script) -o $(O)/probe "
    "$(addprefix $(O)/,$(objs-host-linux) tests/functional/host_linux_probe.o) $(LIBC)"
)


@pytest.fixture(scope="session", name="probe")
def build_probe():
    """Path of the probe."""
    return str(build("linux_virt", LINK, "host-linux-probe") / "probe")


def run(probe, *words, **options):
    """Run the probe without a terminal; returns the finished process."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([probe, *words], timeout=PATIENCE, check=False, **options)


def until(holds, what):
    """Wait until holds() is true."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.01)


class Terminal:
    """A process on a terminal of its own, which survives the process so that its settings can be looked at."""

    def __init__(self, *command, preexec=None):
        self.master, self.slave = os.openpty()
        self.settings = termios.tcgetattr(self.slave)

        def own_terminal():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if preexec:
                preexec()

        self.process = subprocess.Popen(command, stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                        start_new_session=True, preexec_fn=own_terminal)
        self.screen = pexpect.fdpexpect.fdspawn(self.master, timeout=PATIENCE, encoding="latin-1")

    def close(self):
        """End the process and the terminal."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.slave)
        self.screen.close()

    def raw(self):
        """True if the terminal passes every byte on."""
        settings = termios.tcgetattr(self.slave)
        return not (settings[3] & (termios.ICANON | termios.ECHO | termios.ISIG) or settings[1] & termios.OPOST)

    def restored(self):
        """True if the settings are those from before."""
        return termios.tcgetattr(self.slave) == self.settings

    def status(self):
        """Exit status; negative: the signal that killed the process."""
        return self.process.wait(PATIENCE)


@pytest.fixture(name="terminal")
def make_terminal():
    """terminal(command...) starts a process on a new terminal."""
    with contextlib.ExitStack() as stack:
        def start(*command, preexec=None):
            opened = Terminal(*command, preexec=preexec)
            stack.callback(opened.close)
            return opened
        yield start


# --- start, memory, time, CPUs


@pytest.mark.parametrize("words, line", [
    ([], ""), (["say", "a"], "a"), (["say", "a", "b c", "", "d"], "a b c d"), (["say", "x" * 50000], "x" * 50000),
])
def test_command_line(probe, words, line):
    """Words are joined by one blank."""
    assert run(probe, *words).stdout.decode() == line


@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_exit_status(probe, status):
    """plat_exit() ends with its status."""
    assert run(probe, "exit", str(status)).returncode == status


def test_no_environment(probe):
    """Nothing is taken from the environment, not even that it exists."""
    assert run(probe, "say", "here", env={}, cwd="/").stdout == b"here"


@pytest.mark.parametrize("mode, says", [
    ("deadlines", "deadlines fire\ndeadlines replace each other\n"),
    ("kicks", "kicks arrive\n"),
    ("memory", "memory works\n"),
])
def test_promises(probe, mode, says):
    """The probe checks what platform.h promises and says so."""
    done = run(probe, mode)
    assert (done.stdout.decode(), done.returncode) == (says, 0)


def test_code(probe):
    """Code runs; what the probe checks holds, and from outside: no memory is writable and executable, no file open."""
    with subprocess.Popen([probe, "code"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"code runs\n"
        rights = {}
        for line in Path(f"/proc/{process.pid}/maps").read_text(encoding="ascii").splitlines():
            words = line.split()
            assert not {"w", "x"} <= set(words[1]), line
            if "/dev/zero" in line:  # how the kernel names shared memory
                rights[words[1]] = rights.get(words[1], 0) + 1
        assert rights == {"rw-s": 5, "r-xs": 5}
        assert sorted(os.listdir(f"/proc/{process.pid}/fd")) == ["0", "1", "2"]
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


def limit(which, value):
    """A function that sets a limit of the process that calls it."""
    return lambda: resource.setrlimit(which, (value, value))


class Filter(ctypes.Structure):
    """struct sock_fprog."""
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def forbid_second_view():
    """Has mremap() (system call 25) fail with EPERM in the calling process, by seccomp."""
    program = b"".join(struct.pack("<HBBI", *i) for i in (
        (0x20, 0, 0, 0), (0x15, 0, 1, 25), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    none = ctypes.c_ulong(0)
    for call in ((38, ctypes.c_ulong(1), none), (22, ctypes.c_ulong(2), ctypes.byref(Filter(4, program)))):
        if prctl(*call, none, none) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


@pytest.mark.parametrize("refuse, result, says", [
    (lambda: None, "given", ""),
    (limit(resource.RLIMIT_AS, 4 << 20), "no memory", ""),
    (limit(resource.RLIMIT_FSIZE, 1 << 19), "given", ""),
    (limit(resource.RLIMIT_NOFILE, 3), "given", ""),
    (forbid_second_view, "refused", "or choose the engine interp"),
], ids=["none", "memory", "file size", "files", "seccomp"])
def test_code_refused(probe, refuse, result, says):
    """A system that has no memory for code, or does not allow it, ends nothing; a line says what to do."""
    done = run(probe, "trycode", preexec_fn=refuse)
    assert (done.stdout.decode(), done.returncode) == (f"{result}\n", 0)
    assert done.stderr.count(b"\n") == (1 if says else 0) and says in done.stderr.decode()


def test_clocks(probe):
    """Both clocks agree with the system's."""
    monotonic, wall = time.monotonic_ns(), time.time_ns()
    done = run(probe, "time").stdout.decode()
    numbers = [int(n) for n in re.fullmatch(r"monotonic: (\d+)\nwall clock: (\d+)\n", done).groups()]
    assert monotonic <= numbers[0] <= time.monotonic_ns()
    assert abs(numbers[1] - wall) < 3600e9, "the wall clock may be set meanwhile, but not by much"


# --- console


def test_end_of_input(probe, tmp_path):
    """Input ends on an empty device, file and pipe, at once or after data."""
    path = tmp_path / "input"
    path.write_bytes(b"ab")
    assert run(probe, "echo").stdout == b"ready\nend of input\n"
    assert run(probe, "echo", stdin=None, input=b"").stdout == b"ready\nend of input\n"
    assert run(probe, "echo", stdin=None, input=b"ab").stdout == b"ready\n[ab]end of input\n"
    with open(path, "rb") as file:
        assert run(probe, "echo", stdin=file).stdout == b"ready\n[ab]end of input\n"


def test_standard_files_missing(probe):
    """Closed standard files are no reason to fail."""
    assert run(probe, "echo", stdin=None, preexec_fn=lambda: os.close(0)).stdout == b"ready\nend of input\n"
    done = run(probe, "echo", preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr.count(b"cannot write to standard output")) == (0, 1)
    assert run(probe, "echo", preexec_fn=lambda: os.close(2)).returncode == 0


def test_nothing_spins_after_the_end(probe):
    """After the end of input the CPU sleeps until its deadline, and nobody watches the input any more."""
    done = run(probe, "echo", "stay").stdout.decode()
    wakes = int(re.search(r"wakes after the end: (\d+)\n$", done).group(1))
    assert wakes <= 3, done


def test_input_waits_for_its_reader(probe):
    """Input that the guest has no room for wakes the CPU once, and is not lost."""
    done = run(probe, "lazy", stdin=None, input=b"A").stdout.decode()
    wakes, byte = re.fullmatch(r"wakes: (\d+)\nbyte: (\d+)\n", done).groups()
    assert int(byte) == ord("A") and int(wakes) <= 3


def test_copies_exactly(probe, tmp_path):
    """Every byte value, in order, more than any buffer holds, through files and pipes."""
    data = bytes(range(256)) * 4096
    path = tmp_path / "data"
    path.write_bytes(data)
    with open(path, "rb") as file:
        assert run(probe, "copy", stdin=file).stdout == data
    assert run(probe, "copy", stdin=None, input=data).stdout == data


def test_slow_reader(probe):
    """Output waits for a reader that is slow, even if somebody made the file non-blocking."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with subprocess.Popen([probe, "flood"], stdin=subprocess.DEVNULL, stdout=writer) as process:
        os.close(writer)
        time.sleep(0.1)
        with open(reader, "rb") as file:
            assert file.read() == (b"x" * 63 + b"\n") * 16384
        assert process.wait(PATIENCE) == 0


def test_reader_gone(probe):
    """Without a reader output is dropped, with one warning."""
    reader, writer = os.pipe()
    os.close(reader)
    done = run(probe, "flood", stdout=writer)
    os.close(writer)
    assert done.returncode == 0
    assert done.stderr.count(b"cannot write to standard output") == 1


# --- terminal


def test_raw_mode(probe, terminal):
    """The guest gets every byte as it is typed; the terminal is as before afterwards, and never non-blocking."""
    tty = terminal(probe, "echo")
    tty.screen.expect("ready")
    assert tty.raw()
    assert os.get_blocking(tty.slave)
    for byte in ("a", "\x03", "\x1a", "\x1c", "\x04", "\r", "\x11", "\x13", "\xff"):
        tty.screen.send(byte)
        tty.screen.expect_exact(f"[{byte}]")
    tty.screen.send("q")
    assert tty.status() == 0
    assert tty.restored()


def test_output_passes_unchanged(probe, terminal):
    """What the guest writes reaches the terminal byte by byte."""
    tty = terminal(probe, "echo")
    tty.screen.expect("ready")
    tty.screen.send("\n")
    tty.screen.expect_exact("]")
    assert tty.screen.before == "\n[\n"


LOG = ("-" * 63 + "\n") * 32 + "\n" * 2048 + "end"


@pytest.mark.parametrize("mode", ["log", "log-plain"])
def test_messages_on_a_terminal(probe, terminal, mode):
    """Lines of husk's own messages end with one \\r\\n on a terminal, raw or not, and standard output plays no part."""
    tty = terminal("sh", "-c", f"{probe} {mode} >/dev/null; sleep 1000")
    tty.screen.expect_exact("end")
    assert tty.screen.before + "end" == LOG.replace("\n", "\r\n")


def test_messages_elsewhere(probe, terminal, tmp_path):
    """In a file they end with \\n, also while a terminal is raw."""
    path = tmp_path / "log"
    tty = terminal("sh", "-c", f"exec {probe} log 2>{path}")
    assert tty.status() == 0
    assert path.read_text() == LOG


def test_no_terminal_change_without_console(probe, terminal):
    """Who only asks for help does not have the terminal touched."""
    tty = terminal(probe, "say", "help")
    tty.screen.expect_exact("help")
    assert tty.status() == 0 and tty.restored()


ENDINGS = ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "STKFLT", "XCPU", "XFSZ", "VTALRM", "PROF",
           "PWR"]


@pytest.mark.parametrize("name", ENDINGS)
def test_signal_restores_terminal(probe, terminal, name):
    """Whatever signal ends the process, the terminal is restored and the parent sees the signal."""
    number = {"STKFLT": 16}.get(name) or getattr(signal, f"SIG{name}")
    tty = terminal(probe, "echo")
    tty.screen.expect("ready")
    assert tty.raw()
    tty.process.send_signal(number)
    assert tty.status() == -number
    assert tty.restored()


def test_ignored_hangup_stays_ignored(probe, terminal):
    """nohup works."""
    tty = terminal(probe, "echo", preexec=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    tty.screen.expect("ready")
    tty.process.send_signal(signal.SIGHUP)
    tty.screen.send("a")
    tty.screen.expect_exact("[a]")
    assert tty.raw()


def test_terminal_gone(probe):
    """A terminal that disappears ends the run by SIGHUP."""
    master, slave = os.openpty()
    with subprocess.Popen([probe, "echo"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                          preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) as process:
        os.close(slave)
        assert os.read(master, 5)
        os.close(master)
        assert process.wait(PATIENCE) == -signal.SIGHUP


# Starts a command as make does: a terminal that is gone is its own affair. Says how the command ended, in a file.
LEADER = """
import signal, subprocess, sys
signal.signal(signal.SIGHUP, getattr(signal, sys.argv[1], lambda *_: None))
with subprocess.Popen(sys.argv[3:]) as job, open(sys.argv[2], "w") as file:
    print(job.wait(), file=file)
"""


@pytest.mark.parametrize("disposition, ending", [("handled", -signal.SIGHUP), ("SIG_IGN", 0)])
def test_terminal_gone_and_nobody_says_so(probe, tmp_path, disposition, ending):
    """The terminal's end is noticed too if a parent keeps the signal to itself; nohup still works."""
    master, slave = os.openpty()
    path = tmp_path / "status"
    with subprocess.Popen(["/usr/bin/python3", "-c", LEADER, disposition, path, probe, "echo", "stay"], stdin=slave,
                          stdout=slave, stderr=slave, start_new_session=True,
                          preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) as process:
        os.close(slave)
        assert os.read(master, 5)
        os.close(master)
        process.wait(PATIENCE)
        assert int(path.read_text()) == ending


# --- faults


@pytest.mark.parametrize("how, report", [
    ("read", "SIGSEGV (invalid memory access), reading 0000000000000040"),
    ("write", "SIGSEGV (invalid memory access), writing 0000000000000040"),
    ("execute", "SIGSEGV (invalid memory access), executing 0000000000000040"),
    ("data", "SIGSEGV (invalid memory access), executing"),
    ("text", "SIGSEGV (invalid memory access), writing"),
    ("constant", "SIGSEGV (invalid memory access), writing"),
    ("guard", "SIGSEGV (invalid memory access), reading"),
    ("stack", "husk: the stack overflowed"),
    ("instruction", "SIGILL (invalid instruction)"),
    ("divide", "SIGFPE (arithmetic error)"),
    ("abort", "SIGABRT (abort), sent by process"),
    ("code store", "SIGSEGV (invalid memory access), writing"),
    ("code run", "SIGSEGV (invalid memory access), executing"),
    ("code before", "SIGSEGV (invalid memory access), reading"),
    ("code after", "SIGSEGV (invalid memory access), reading"),
    ("code beyond", "SIGSEGV (invalid memory access), executing"),
])
def test_fault_report(probe, how, report):
    """A fault of husk itself is reported in readable form and ends the run with status 1."""
    done = run(probe, "fault", how)
    text = done.stderr.decode()
    assert report in text
    assert re.search(r"rip [0-9a-f]{16} .*rsp [0-9a-f]{16}", text) and re.search(r"r14 [0-9a-f]{16}", text)
    assert text.endswith("this is a bug in husk; please report it with the lines above\n")
    assert done.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGSYS])
def test_fault_restores_terminal(probe, terminal, number):
    """A fault restores the terminal too; a signal that only looks like one is told apart."""
    tty = terminal(probe, "echo")
    tty.screen.expect("ready")
    tty.process.send_signal(number)
    tty.screen.expect_exact(f"sent by process {os.getpid()}\r\n")
    assert tty.status() == 1
    assert tty.restored()


# --- job control

# Runs a command as a job, but unlike a shell never touches the terminal's settings. SIGUSR1 continues it.
PARENT = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    os.execv(sys.argv[1], sys.argv[1:])
print(f"job={job},", flush=True)
status = os.waitpid(job, os.WUNTRACED)[1]
print("stopped by", os.WSTOPSIG(status), flush=True)
signal.sigwait([signal.SIGUSR1])
os.kill(job, signal.SIGCONT)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]))
"""


def test_stop_restores_terminal(probe, terminal):
    """A stop restores the terminal by itself, also under a parent that does not, and is seen as the stop it is."""
    tty = terminal("/usr/bin/python3", "-c", PARENT, probe, "echo")
    tty.screen.expect(r"job=(\d+),")
    job = int(tty.screen.match.group(1))
    until(tty.raw, "raw mode")
    os.kill(job, signal.SIGTSTP)
    tty.screen.expect_exact(f"stopped by {int(signal.SIGTSTP)}")
    assert tty.restored()
    tty.process.send_signal(signal.SIGUSR1)
    until(tty.raw, "raw mode again")
    tty.screen.send("q")
    assert tty.status() == 0
    assert tty.restored()


class Shell:
    """bash with job control on a terminal. Its own line editing is off, so that it leaves the settings alone."""

    def __init__(self, tty):
        self.tty = tty
        self.screen = tty.screen
        self.screen.sendline("PS1='<''>'")
        self.screen.expect_exact("<>")
        self.pid = 0

    def start(self, probe, background=""):
        """Start `probe echo`; remembers its process."""
        self.screen.sendline(f"sh -c 'echo pid=$$,; exec {probe} echo' {background}")
        self.screen.expect(r"pid=(\d+),")
        self.pid = int(self.screen.match.group(1))
        self.screen.expect("ready")

    def stop(self, number):
        """Stop the process as a signal does; the shell is back then."""
        os.kill(self.pid, number)
        self.screen.expect("Stopped")
        self.screen.expect_exact("<>")

    def answers(self):
        """True if what is typed reaches the shell."""
        self.screen.sendline("echo al''ive")
        self.screen.expect_exact("alive")
        self.screen.expect_exact("<>")
        return True

    def foreground(self):
        """Bring the process back; it has the terminal again."""
        self.screen.sendline("fg")
        until(self.tty.raw, "raw mode in the foreground")
        self.screen.send("x")
        self.screen.expect_exact("[x]")

    def quit(self):
        """End the process and see its status."""
        self.screen.send("q")
        self.screen.expect_exact("<>")
        self.screen.sendline("echo status=$?,")
        self.screen.expect(r"status=(\d+),")
        return int(self.screen.match.group(1))


@pytest.fixture(name="shell")
def start_shell(terminal):
    """A shell with job control."""
    return Shell(terminal("bash", "--norc", "--noprofile", "--noediting", "-i"))


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP])
def test_stop_and_continue(probe, shell, number):
    """A stop gives the terminal back, `fg` takes it again; a stop that cannot be caught is repaired by `fg`."""
    shell.start(probe)
    assert shell.tty.raw()
    shell.stop(number)
    if number == signal.SIGTSTP:
        assert shell.tty.restored()
    assert shell.answers()
    shell.foreground()
    assert shell.quit() == 0
    assert not shell.tty.raw()


def test_background_leaves_the_terminal_alone(probe, shell):
    """In the background the process runs on, takes no input and changes nothing."""
    shell.start(probe)
    shell.stop(signal.SIGTSTP)
    shell.screen.sendline("bg")
    shell.screen.expect_exact("<>")
    assert shell.answers() and shell.answers()
    assert not shell.tty.raw()
    shell.foreground()
    assert shell.quit() == 0


def test_started_in_the_background(probe, shell):
    """`husk &` starts without the terminal and gets it by `fg`."""
    shell.start(probe, "&")
    assert shell.answers()
    assert not shell.tty.raw()
    shell.foreground()
    assert shell.quit() == 0
    assert not shell.tty.raw()


def test_killed_in_the_background(probe, shell):
    """A death in the background does not touch the shell's settings."""
    shell.start(probe, "&")
    os.kill(shell.pid, signal.SIGTERM)
    shell.screen.sendline("wait; echo status=$?,")
    shell.screen.expect(r"status=\d+,")
    assert shell.answers()
    assert shell.tty.restored()


# --- the file


def test_segments(probe):
    """A static program that needs nothing, with no memory both writable and executable."""
    with open(probe, "rb") as file:
        elf = ELFFile(file)
        assert elf["e_type"] == "ET_EXEC" and elf["e_machine"] == "EM_X86_64"
        segments = list(elf.iter_segments())
        kinds = [s["p_type"] for s in segments]
        assert set(kinds) == {"PT_LOAD", "PT_GNU_STACK"}
        flags = [s["p_flags"] for s in segments if s["p_type"] == "PT_LOAD"]
        assert sorted(flags) == [4, 4, 5, 6], "read-only data, payload, text, data"
        assert segments[kinds.index("PT_GNU_STACK")]["p_flags"] == 6


def test_payload_segment(probe):
    """The payload has read-only pages of its own."""
    with open(probe, "rb") as file:
        elf = ELFFile(file)
        payload = elf.get_section_by_name(".payload")
        assert payload["sh_addr"] % 4096 == 0 and payload.data() == b"probe payload\0"
        holders = [s for s in elf.iter_segments("PT_LOAD") if s.section_in_segment(payload)]
        assert [s["p_flags"] for s in holders] == [4]
        assert holders[0]["p_vaddr"] == payload["sh_addr"]


def test_tables(probe):
    """Table entries that nothing names are kept, between the symbols that the core walks."""
    with open(probe, "rb") as file:
        elf = ELFFile(file)
        symbols = {s.name: s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()}
        assert symbols["__stop_husk_features"] - symbols["__start_husk_features"] == 2 * 8
