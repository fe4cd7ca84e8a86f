# SPDX-License-Identifier: BSD-2-Clause
"""The host `pc`: a probe in place of the core, linked with the host's real objects and booted in QEMU."""

import random
import re
import subprocess
import time

import pexpect
import pytest
from elftools.elf.elffile import ELFFile

from conftest import TREE, build

PATIENCE = 60  # seconds that nothing may take; no test depends on how long things really take

# Links the probe with what the Makefile says about the host.
OBJECTS = "$(addprefix $(O)/,$(objs-host-pc) core/log.o core/feature.o tests/functional/host_pc_probe.o)"
LINK = (
    f"--eval=host-pc-probe: ; +@$(MAKE) {OBJECTS} && "
    f"$(CC) $(LDFLAGS) -Wl,-T,$(link-script) -o $(O)/probe {OBJECTS} $(LIBC) && objcopy --strip-debug $(O)/probe"
)
OVMF = "/usr/share/OVMF/OVMF_CODE.fd"
MACHINES = ["q35", "pc", "microvm,acpi=on"]


@pytest.fixture(scope="session", name="probe")
def build_probe():
    """Path of the probe."""
    return str(build("pc_virt", LINK, "host-pc-probe") / "probe")


@pytest.fixture(scope="session", name="iso")
def build_iso(probe, tmp_path_factory):
    """Path of an ISO that boots the probe."""
    path = tmp_path_factory.mktemp("iso") / "probe.iso"
    subprocess.run(["sh", TREE / "images/iso.sh", probe, path], check=True)
    return str(path)


class Machine:
    """A QEMU with the probe in it. The serial port is its standard input and output."""

    def __init__(self, *options, machine="q35", memory=192, serial=("-serial", "stdio")):
        self.console = pexpect.spawn("qemu-system-x86_64", [
            "-machine", machine, "-accel", "tcg", "-m", str(memory), "-nodefaults", "-no-reboot", "-display", "none",
            *serial, "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", *options],
            timeout=PATIENCE, encoding="latin-1", echo=False)
        self.console.delaybeforesend = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.console.close(force=True)

    def prompt(self):
        """Wait until the probe takes a command; returns what it said before."""
        self.console.expect_exact("probe> ")
        return self.console.before.replace("\r", "")

    def do(self, command):
        """Give a command and return what it printed."""
        self.console.send(command + "\r")
        return self.prompt().strip()

    def end(self):
        """Wait for the end; returns what was said last, and QEMU's exit status."""
        self.console.expect(pexpect.EOF)
        self.console.close()
        return self.console.before.replace("\r", ""), self.console.exitstatus

    def last(self, command):
        """Give a command that ends the run; returns what it printed, and QEMU's exit status."""
        self.console.send(command + "\r")
        return self.end()


def boot(probe, *options, **more):
    """A machine that booted the probe by PVH, at its prompt."""
    machine = Machine("-kernel", probe, *options, **more)
    machine.prompt()
    return machine


def number(pattern, text):
    """The number that `pattern` finds in `text`."""
    found = re.search(pattern, text)
    assert found, f"no {pattern!r} in:\n{text}"
    return int(found[1])


def check_facts(machine, protocol, route):
    """The machine told how it was booted, and has time, memory and interrupts."""
    facts = machine.do("attach")
    assert f"booted by {protocol}," in facts and f"COM1 interrupt by {route}" in facts
    assert "probe attached\nattached 0" in facts
    hello = machine.do("hello")
    assert "payload probe payload" in hello
    return hello


# --- boot and end


@pytest.mark.parametrize("name", MACHINES)
def test_boots_by_pvh(probe, name):
    """Every machine boots, keeps time, and is switched off by ACPI."""
    with boot(probe, "-append", "  one  two three ", machine=name) as machine:
        hello = check_facts(machine, "PVH", "I/O APIC")
        assert "command line [one two three]" in hello
        assert abs(number(r"wall clock (\d+)", hello) - time.time()) < PATIENCE
        assert 180 <= number(r"(\d+) MiB free", hello) < 192
        assert machine.do("deadlines") == "past 1 replaced 1 taken back 1"
        assert machine.do("clocks") == "0 wrong"
        assert machine.do("kick") == "kicked 8"
        assert machine.last("exit 0") == ("\n", 0)


@pytest.mark.parametrize("options", [[], ["-bios", OVMF]], ids=["bios", "uefi"])
def test_boots_from_disc(iso, options):
    """The ISO boots on BIOS and UEFI."""
    with Machine("-cdrom", iso, *options) as machine:
        machine.prompt()
        check_facts(machine, "Multiboot2", "I/O APIC")
        assert machine.last("exit 0")[1] == 0


@pytest.mark.parametrize("options", [["virtio"], ["ide", "-bios", OVMF]], ids=["bios", "uefi"])
def test_boots_from_stick(iso, options):
    """The same file is a bootable disk."""
    with Machine("-drive", f"file={iso},format=raw,snapshot=on,if={options[0]}", *options[1:], machine="pc") as machine:
        machine.prompt()
        check_facts(machine, "Multiboot2", "I/O APIC")
        assert machine.last("exit 3")[1] == 3 << 1 | 1


def test_iso_is_reproducible(probe, iso, tmp_path):
    """The same image gives the same ISO, whenever and wherever it is made."""
    again = tmp_path / "again.iso"
    subprocess.run(["sh", TREE / "images/iso.sh", probe, again], check=True, cwd=tmp_path, env={"TZ": "Asia/Tokyo"})
    with open(iso, "rb") as first:
        assert first.read() == again.read_bytes()


@pytest.mark.parametrize("status", [1, 2, 3])
def test_status(probe, status):
    """A status other than 0 reaches QEMU's isa-debug-exit."""
    with boot(probe) as machine:
        assert machine.last(f"exit {status}")[1] == status << 1 | 1


def test_halts_where_nothing_switches_off(probe):
    """Without ACPI the last word is said, and the CPU halts without a reset."""
    with boot(probe, "-cpu", "qemu64", machine="isapc") as machine:
        machine.console.send("exit 0\r")
        machine.console.expect_exact("husk: halted")


def test_refuses_a_cpu_without_long_mode(probe):
    """A 32-bit CPU gets a message."""
    with Machine("-kernel", probe, "-cpu", "qemu32") as machine:
        text, status = machine.end()
        assert "husk: this computer has no 64-bit mode" in text and status == 3


def test_image_is_small_and_strict(probe):
    """Nothing is writable and executable, the Multiboot2 header comes early, the file has no holes."""
    with open(probe, "rb") as file:
        elf = ELFFile(file)
        loads = [s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"]
        assert all(s["p_flags"] in (4, 5, 6) for s in loads)
        assert sum(s["p_filesz"] for s in loads) < 96 << 10
        file.seek(0)
        data = file.read()
    assert 0 <= data.index(bytes.fromhex("d65052e8")) < 32768
    assert len(data) < 128 << 10


# --- time


def test_deadline_is_on_time(probe):
    """A deadline is never early; one beyond the timer's range is reached in several steps."""
    with boot(probe) as machine:
        late = [number(r"fired after \d+ us, late (\d+) us", machine.do("sleep 20")) for _ in range(5)]
        assert min(late) < 5000
        assert number(r"fired after (\d+) us", machine.do("sleep 2500")) >= 2500000


def test_clock_agrees_with_the_world(probe):
    """Guest seconds are as long as ours, within 1 %."""
    with boot(probe) as machine:
        errors = []
        for _ in range(3):
            start = time.monotonic()
            machine.do("sleep 1000")
            errors.append(abs(time.monotonic() - start - 1))
        assert min(errors) < 0.01


@pytest.mark.parametrize(("options", "source"), [("pit=on", "the PIT"), ("pit=off,rtc=on", "the CMOS clock")])
def test_finds_a_time_source(probe, options, source):
    """Without an ACPI timer the PIT tells how fast the TSC is, without that the CMOS clock."""
    with boot(probe, machine=f"microvm,acpi=on,{options}") as machine:
        assert f"kHz by {source}," in machine.do("attach")


def test_no_time_source(probe):
    """A computer that cannot tell time is refused with a message."""
    with Machine("-kernel", probe, machine="microvm,pit=off,rtc=off") as machine:
        text, status = machine.end()
        assert "cannot tell how fast the TSC runs" in text and status == 3


# --- console


@pytest.mark.parametrize(("machine", "serial", "route"), [
    ("q35", ("-serial", "stdio"), "I/O APIC"),
    ("isapc", ("-cpu", "qemu64", "-serial", "stdio"), "8259"),
    ("q35", ("-chardev", "stdio,id=c", "-device", "isa-serial,chardev=c,irq=7"), "polling"),
], ids=["ioapic", "8259", "polling"])
def test_input_is_complete(probe, machine, serial, route):
    """No byte is lost or changed at full speed, by whatever way input arrives."""
    data = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=6000))
    with boot(probe, machine=machine, serial=serial) as m:
        assert f"COM1 interrupt by {route}" in m.do("attach")
        m.console.send("count\r")
        m.console.expect_exact("go")
        for i in range(0, len(data), 1000):
            m.console.send(data[i:i + 1000])
        m.console.send(".")
        assert m.prompt().strip() == f"counted {len(data)} sum {sum(map(ord, data))}"
        late = number(r"late (\d+) us", m.do("sleep 30"))
        assert late < 1000000


def test_goes_on_without_a_console(probe):
    """Without COM1 the probe waits for input that never comes, and does not crash."""
    with Machine("-kernel", probe, "-monitor", "stdio", serial=()) as machine:
        machine.console.expect_exact("(qemu)")
        time.sleep(1)
        machine.console.send("info registers\r")
        machine.console.expect(r"HLT=1")


# --- memory


@pytest.mark.parametrize("memory", [48, 192])
def test_memory_is_zero_aligned_and_all_there(probe, memory):
    """All memory can be had, in pieces that do not overlap."""
    with boot(probe, memory=memory) as machine:
        text = machine.do("alloc 7")
        assert "bad" not in text
        assert number(r"allocated (\d+) of", text) > memory - 60
        text += machine.do("alloc 1")
        assert "bad" not in text
        assert sum(map(int, re.findall(r"allocated (\d+) of", text))) > memory - 12
        for pieces, chain in re.findall(r"(\d+) pieces in the chain of (\d+)", text):
            assert pieces == chain


def test_memory_above_4_gib(probe):
    """RAM on the other side of the device hole is used."""
    with boot(probe, memory=5000) as machine:
        assert number(r"(\d+) MiB free", machine.do("hello")) > 4900
        assert machine.last("exit 0")[1] == 0


# --- memory for code


@pytest.mark.parametrize("memory, cpu", [(96, "qemu64"), (2100, "max")], ids=["2 MiB pages", "1 GiB pages"])
def test_code(probe, memory, cpu):
    """Code stored through one view runs through the other, wherever it is; memory beside it is as before."""
    with boot(probe, "-cpu", cpu, memory=memory) as machine:
        assert machine.do("code 0") == machine.do("code 2097152") == "made 0, bad 0, last no memory"
        assert machine.do("code 1") == machine.do("code 20") == "made 63, bad 0, last given"
        pieces = number(r"made (\d+), bad 0, last", machine.do("code 5000"))
        assert pieces == 63 if memory > 1000 else 10 < pieces < 20
        text = machine.do("alloc 1")
        assert "bad" not in text
        pieces, chain = re.search(r"(\d+) pieces in the chain of (\d+)", text).groups()
        assert pieces == chain


def test_code_is_interrupted(probe):
    """Interrupts that come while generated code runs change none of its registers."""
    with boot(probe) as machine:
        assert machine.do("spin 300") == "interrupted 300 times, bad 0"


# --- host exceptions


FAULTS = {
    "overflow": "stack overflow: the main stack is exhausted",
    "touch text": "write of a protected address",
    "touch rodata": "write of a protected address",
    "touch payload": "write of a protected address",
    "touch data": "execution of a protected address",
    "touch heap": "execution of a protected address",
    "touch null": "write of an unmapped address 0x8 (null pointer)",
    "touch nowhere": "write of an unmapped address 0x700000000000",
    "misuse store": "write of a protected address",
    "misuse store large": "write of a protected address",
    "misuse run": "execution of a protected address",
    "misuse run large": "execution of a protected address",
    "misuse before": "write of an unmapped address",
    "misuse after": "write of an unmapped address",
    "fault invalid": "host exception 6 (invalid opcode)",
    "fault divide": "host exception 0 (divide error)",
    "fault general": "host exception 13 (general protection fault)",
    "fault double": "host exception 8 (double fault)",
}


@pytest.mark.parametrize("command", FAULTS)
def test_host_exception_is_reported(probe, command):
    """A bug in the host is reported with registers, and ends the run."""
    with boot(probe) as machine:
        text, status = machine.last(command)
        assert FAULTS[command] in text and "this is a bug in husk" in text and "rsp" in text
        assert "it was possible" not in text and status == 3


def test_nmi_is_reported(probe):
    """An NMI, which nothing asks for, is reported too."""
    serial = ("-serial", "mon:stdio")
    with boot(probe, serial=serial) as machine:
        machine.console.send("\x01c")
        machine.console.expect_exact("(qemu)")
        machine.console.send("nmi\r")
        text, status = machine.end()
        assert "host exception 2 (NMI)" in text and status == 3
