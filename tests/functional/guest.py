# SPDX-License-Identifier: BSD-2-Clause
"""Guests for the tests: images of other configurations than the defconfigs, small kernels of our own, and a user.

A Guest is an image on a terminal of its own, used as a person would: keys go in, text comes out.
"""

import concurrent.futures
import fcntl
import functools
import json
import os
import re
import subprocess
import termios
from pathlib import Path

import pexpect

from conftest import OUT, TREE, make

# Seconds that nothing may take; no test depends on how long things really take. HUSK_LONG=1 has more to do at once.
PATIENCE = 1200 if os.environ.get("HUSK_LONG") else 120
TOLD = 4000  # characters of a console that a failure shows
PROMPT = "~ # "
WELCOME = "Welcome to Linux"
GUESTS = Path(__file__).resolve().parent / "guests"

# --- images


def _value(value):
    """A value as .config has it."""
    return value if isinstance(value, str) and value in ("y", "n") else json.dumps(value)


@functools.lru_cache(None)
def _variant(name, base, values):
    """Builds `base` with other values, once; see variant()."""
    out = OUT / name
    out.mkdir(parents=True, exist_ok=True)
    with open(OUT / f"{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = (TREE / "defconfigs" / f"{base}_defconfig").read_text(encoding="utf-8")
        for symbol, value in (("NAME", name), *values):
            text = re.sub(rf"^CONFIG_{symbol}=.*\n", "", text, flags=re.M) + f"CONFIG_{symbol}={_value(value)}\n"
        (out / ".config").write_text(text, encoding="utf-8")
        make(out, "olddefconfig")
        config = (out / ".config").read_text(encoding="utf-8")
        for symbol, value in values:
            line = f"# CONFIG_{symbol} is not set" if value == "n" else f"CONFIG_{symbol}={_value(value)}"
            assert f"\n{line}\n" in config, f"{name}: the configuration did not take {line}"
        make(out, "all")
    return out


def variant(name, base, **values):
    """Builds defconfig `base` with other values of symbols (True and False for bool), once; returns its folder."""
    plain = {symbol: "ny"[value] if isinstance(value, bool) else value for symbol, value in values.items()}
    return _variant(name, base, tuple(plain.items()))


def _small_mips_kernel(name, big_endian, sources):
    """Compiles a kernel of our own for MIPS64; returns the path of its ELF file."""
    target = "mips64-linux-gnuabi64" if big_endian else "mips64el-linux-gnuabi64"
    path = OUT / "guests" / f"{name}-{'big' if big_endian else 'little'}"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    subprocess.run(
        [f"{target}-gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-mabi=64", "-march=mips64r2", "-msoft-float",
         "-mno-abicalls", "-fno-pic", "-msym32", "-G0", "-ffreestanding", "-fno-builtin", "-nostdlib", "-static",
         "-Wl,--build-id=none", f"-Wl,-T,{GUESTS}/guest.lds", *(GUESTS / source for source in sources), "-o", new], check=True)  # fmt: skip
    # The same file keeps its date, so that its image is not linked again.
    if path.exists() and path.read_bytes() == new.read_bytes():
        new.unlink()
    else:
        new.rename(path)
    return path


@functools.lru_cache(None)
def small_kernel(board, big_endian=False):
    """Builds our own kernel of tests/functional/guests for a board; returns the path of its ELF file."""
    return _small_mips_kernel(board, big_endian, (
        "start.S", "guest.c", "checks.c", "system_checks.c", "code_checks.c", "jit.S", f"board_{board}.c"))  # fmt: skip


@functools.lru_cache(None)
def small_smp_kernel(big_endian=False):
    """Builds our own kernel for several cores of the octeon board; returns the path of its ELF file."""
    return _small_mips_kernel("smp", big_endian, ("smp_start.S", "smp_guest.c"))


def small_guest(board, big_endian=False, host="linux", kind="", **values):
    """Image with our own kernel; a report about silence comes after 5 s. `kind` names other values. Returns its folder."""
    kind = kind or ("stays" if values.get("DIAGNOSE_EXIT") is False else "")
    return variant(f"guest-{host}-{board}-{'big' if big_endian else 'little'}{kind and '-' + kind}", f"{host}_{board}", IMAGE_CUSTOM=True,
                   CUSTOM_KERNEL=str(small_kernel(board, big_endian)), GUEST_BIG_ENDIAN=big_endian,
                   DIAGNOSE_SILENCE_S=5, **values)  # fmt: skip


@functools.lru_cache(None)
def small_x86_kernel():
    """Builds our own x86 kernel of tests/functional/guests; returns the path of its ELF file."""
    path = OUT / "guests" / "x86"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    subprocess.run(
        ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-m64", "-mno-red-zone", "-mgeneral-regs-only", "-fno-pic",
         "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-nostdlib", "-static",
         "-Wl,--build-id=none", "-Wl,-z,noexecstack", "-Wl,--no-warn-rwx-segments", f"-Wl,-T,{GUESTS}/x86.lds",
         *[GUESTS / name for name in ("x86_start.S", "x86_guest.c", "x86_hostile.c", "x86_costs.c", "x86_spin.c", "x86_messages.c", "x86_apic.c")], "-o", new], check=True)  # fmt: skip
    if path.exists() and path.read_bytes() == new.read_bytes():
        new.unlink()
    else:
        new.rename(path)
    return path


def small_x86_guest(config):
    """Image of a PVH configuration with our own kernel in it. Returns its folder."""
    return variant(f"guest-{config}", config, IMAGE_CUSTOM=True, CUSTOM_KERNEL=str(small_x86_kernel()))


def in_mode(image, mode, folder, name="husk"):
    """A copy, in `folder`, of an image with our own kernel, which does what `mode` says; see guests/guest.c."""
    return patched(image, folder, lambda data, at: data.__setitem__(at("husk guest mode:") + 16, ord(mode)), name)


def patched(image, folder, change, name="husk"):
    """A copy of an image after change(bytearray, at); at(text) is where the only `text` is in it."""
    data = bytearray(Path(image).read_bytes())

    def at(text):
        text = text.encode() if isinstance(text, str) else text
        assert data.count(text) == 1, f"{text[:40]!r} is {data.count(text)} times in {image}"
        return data.index(text)

    change(data, at)
    path = Path(folder) / name
    path.unlink(missing_ok=True)  # it may be running
    path.write_bytes(data)
    path.chmod(0o755)
    return path


# --- how to start them


def make_run(out, *arguments):
    """Command line of `make run`."""
    words = [f"ARGS={' '.join(arguments)}"] if arguments else []
    return [os.environ.get("HUSK_MAKE", "make"), "-C", str(TREE), f"O={out}",
            *os.environ.get("HUSK_VARIABLES", "").split(), "run", *words]  # fmt: skip


def run_script(image, host, *arguments):
    """Command line of what `make run` does with an image that is not the one it would build."""
    return ["sh", str(TREE / "images/run.sh"), str(image), host, "256", *arguments]


def qemu(*options, machine="q35", memory=512, accel="tcg"):
    """Command line of a computer with one serial port, on the terminal."""
    return ["qemu-system-x86_64", "-machine", machine, "-accel", accel, "-cpu", "max", "-m", str(memory), "-nodefaults",
            "-no-reboot", "-display", "none", "-monitor", "none", "-chardev", "stdio,id=c,signal=off", "-serial", "chardev:c",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", *options]  # fmt: skip


# --- using them


def new_terminal_settings():
    """Settings of a terminal that nobody has used. That of a run may be raw by the time we could look."""
    master, slave = os.openpty()
    settings = termios.tcgetattr(slave)
    os.close(slave)
    os.close(master)
    return settings


class Guest:
    """A run of an image on a new terminal."""

    def __init__(self, *command):
        self.command = [str(word) for word in command]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        self.child = pexpect.spawn(self.command[0], self.command[1:], timeout=PATIENCE, encoding="utf-8",
                                   codec_errors="replace", env=environment)  # fmt: skip
        self.child.delaybeforesend = None
        self.status = None  # exit status, once it ended
        self.restored = None  # True if the terminal was then as before
        self.result = None  # exit status of the last shell command

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.close(force=True)

    # Text

    def _wait(self, expect, what):
        """Has pexpect wait; if that is in vain, says what the guest printed instead."""
        try:
            expect(what)
        except (pexpect.EOF, pexpect.TIMEOUT) as error:
            why = "it ended" if isinstance(error, pexpect.EOF) else f"it did not come in {self.child.timeout} s"
            said = re.sub("\r+\n", "\n", self.child.before or "")[-TOLD:]
            raise AssertionError(f"waited for {what!r}: {why}. The end of what came:\n{said}\n({' '.join(self.command)})") from None

    def see(self, text):
        """Waits until `text` comes; returns what came before it."""
        self._wait(self.child.expect_exact, text)
        return self.child.before

    def see_line(self, end):
        """Waits for a line that ends with `end`. QEMU's terminal adds carriage returns to those of the guest."""
        self.match(re.escape(end) + "\r+\n")

    def match(self, pattern):
        """Waits until a pattern matches; returns the match."""
        self._wait(self.child.expect, pattern)
        return self.child.match

    def type(self, text):
        """Types keys."""
        self.child.send(text)

    def give_keys_to(self, name):
        """Switches through the consoles until one has the keys; returns the names of those on the way."""
        names = []
        while name not in names:
            self.type("\x01n")
            names.append(self.match(r"husk: the keys go to (\w+)\r")[1])
        return names

    def end(self):
        """Waits until the run ends; returns what came before. `status` and `restored` are known then."""
        self._wait(self.child.expect, pexpect.EOF)
        text = self.child.before
        self.restored = termios.tcgetattr(self.child.child_fd) == new_terminal_settings()
        self.child.close()
        self.status = self.child.exitstatus
        return text

    # A shell in the guest

    def boot(self):
        """Waits for the prompt of a shell; returns what came before."""
        return self.see(WELCOME) + self.see(PROMPT)

    def run(self, command):
        """Runs a shell command; returns its output, and leaves its exit status in `result`."""
        self.type(f"echo 'be'gin; {command}; echo 'en'd=$?,\r")
        self.see("begin")
        text = self.see("end=")
        self.result = int(self.match(r"(\d+),")[1])  # the end of the line may come after something that the kernel says
        self.see(PROMPT)
        return re.sub("\r+\n", "\n", text).removeprefix("\n")

    def repeat(self, line, path, doublings):
        """Makes a file of 1024 times a line, doubled that often; returns its bytes. busybox's yes writes line by line."""
        self.run(f"yes {line} | head -n 1024 >{path}; for i in $(seq {doublings}); do cat {path} {path} >{path}.2; mv {path}.2 {path}; done")
        return f"{line}\n".encode() * (1024 << doublings)

    def power_off(self):
        """Has the shell power off; returns what came after that."""
        self.type("poweroff\r")
        return self.end()


def boot_all(commands):
    """Boots several images to the prompt at the same time; returns guests and what they said by names of commands."""
    guests = {name: Guest(*command) for name, command in commands.items()}
    said = at_once(Guest.boot, guests.values())
    return guests, dict(zip(guests, said))


def at_once(action, guests):
    """Does action(guest) for several guests at the same time; returns the results in order."""
    guests = list(guests)
    with concurrent.futures.ThreadPoolExecutor(len(guests)) as pool:
        return list(pool.map(action, guests))
