# SPDX-License-Identifier: BSD-2-Clause
"""x86-64 guests: both ways to boot Debian's kernel, guests of our own that misbehave, computers that cannot."""

import contextlib
import re
import subprocess
import time

import pytest

from guest import PATIENCE, Guest, at_once, boot_all, in_mode, qemu, run_script, small_x86_guest, variant

CONFIGS = ["pc_pvh", "pc_pvh_min"]
every = pytest.mark.parametrize("config", CONFIGS)
#: optional parts of SVM used, or none
MODES = ["svm=full", "svm=plain"]


def run_mode(config, mode, folder, *arguments):
    """Runs our own guest in a mode; returns exit status and what was said."""
    image = in_mode(small_x86_guest(config) / "husk", mode, folder)
    done = subprocess.run(run_script(image, "pc", *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=PATIENCE, check=False)  # fmt: skip
    return done.returncode, done.stdout.replace("\r", "")


# --- Debian's kernel


@pytest.fixture(scope="module", name="guests")
def boot_variants(built):
    """Debian's kernel as a bzImage, on another CPU, and without optional parts of SVM; all at their prompts."""
    packed = {config: variant(f"{config}-bzimage", config, IMAGE_UNPACK=False) / "husk" for config in CONFIGS}
    plain = built("pc_pvh") / "husk"
    commands = {
        "bzimage-pc_pvh": run_script(packed["pc_pvh"], "pc"),
        "bzimage-pc_pvh_min": run_script(packed["pc_pvh_min"], "pc"),
        "plain": run_script(plain, "pc", "svm=plain"),
        "epyc": [word if word != "max" else "EPYC,+svm,+npt" for word in qemu("-kernel", plain)],
        "qemu64": [word if word != "max" else "qemu64,+svm,+npt" for word in qemu("-kernel", built("pc_pvh_min") / "husk")],
    }
    with contextlib.ExitStack() as stack:
        guests, said = boot_all(commands)
        for guest in guests.values():
            stack.enter_context(guest)
        yield guests, said


@pytest.mark.parametrize("name", ["bzimage-pc_pvh", "bzimage-pc_pvh_min"])
def test_acpi_tables(guests, name, tmp_path):
    """ACPICA's compiler understands every table that the kernel has found, and has nothing to say against the DSDT."""
    guest = guests[0][name]
    for table in ("APIC", "DSDT", "FACP"):
        file = tmp_path / f"{table}.dat"
        file.write_bytes(bytes.fromhex(guest.run(f"hexdump -v -e '1/1 \"%02x\"' /sys/firmware/acpi/tables/{table}").strip()))
        done = subprocess.run(["iasl", "-d", file], cwd=tmp_path, capture_output=True, text=True, check=False)
        listing = (tmp_path / f"{table}.dsl").read_text(encoding="utf-8")
        assert done.returncode == 0 and not re.search("error|warning|invalid", done.stdout + done.stderr + listing, re.I)
    assert 'Name (_S5, Package (0x04)' in (tmp_path / "DSDT.dsl").read_text(encoding="utf-8")
    done = subprocess.run(["iasl", "-p", tmp_path / "new", tmp_path / "DSDT.dsl"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "0 Errors, 0 Warnings" in done.stdout + done.stderr
    assert not [line for line in guest.run("dmesg").splitlines() if re.search("ACPI.*(Error|Warning|Exception|BUG)|Firmware Bug", line)]


@pytest.mark.parametrize("name", ["bzimage-pc_pvh", "bzimage-pc_pvh_min", "plain", "epyc", "qemu64"])
def test_boots(guests, name):
    """The kernel comes to a prompt that works, has nothing to complain about, and powers off."""
    guest = guests[0][name]
    assert "x86_64" in guest.run("uname -m")
    assert abs(int(guest.run("date +%s")) - time.time()) < 60
    seconds = guest.run("s=$(date +%s); while a=$(date +%s); [ $a = $s ]; do :; done; sleep 1; echo $(($(date +%s) - a))")
    assert seconds in ("1\n", "2\n")  # 2: the computer did something else meanwhile
    assert guest.run("awk 'BEGIN { printf \"%.6f\\n\", 3 / 7 }'") == "0.428571\n"
    xen = "min" not in name and name != "qemu64"
    assert guest.run("cat /sys/devices/system/clocksource/clocksource0/current_clocksource") == ("xen\n" if xen else "tsc\n")
    assert not [line for line in guest.run("dmesg").splitlines() if re.search("BUG:|WARNING: CPU|Oops|Call Trace|unchecked", line)]
    assert "husk: guest powered off" in guest.power_off()
    assert guest.status == 0


def test_monitor_counts_exits(built):
    """The monitor tells how often the guest was left, by cause, and shows the state of the CPU."""
    with Guest(*run_script(built("pc_pvh") / "husk", "pc")) as guest:
        guest.boot()
        guest.type("\x01cexits\r")
        counts = guest.see("hypercall") + guest.match(r" +\d+")[0]
        assert re.search(r"cpuid +\d+", counts)
        guest.type("info system\r")
        assert "cr0" in guest.see("last exits, oldest first")
        guest.type("\x01x")
        guest.end()
        assert guest.status == 0


def test_interrupts_of_the_host_come_through(tmp_path):
    """While virtual interrupts are delivered all the time none of the host's is lost, its timer's above all: typed keys come back."""
    image = in_mode(small_x86_guest("pc_pvh_min") / "husk", "e", tmp_path)
    with contextlib.ExitStack() as stack:
        # More of them than CPUs, so that they do not run in step.
        guests = [stack.enter_context(Guest(*run_script(image, "pc"))) for _ in range(3)]
        at_once(type_and_see, guests)


def type_and_see(guest):
    """Types keys one by one, each after the last has come back."""
    guest.see("echo")
    for key in "abcdefghij" * 300:
        guest.type(key)
        guest.see(key)
    guest.type("q")
    guest.see("interrupted")
    guest.end()
    assert guest.status == 0


# --- guests that misbehave


@every
@pytest.mark.parametrize("svm", MODES)
def test_hostile_guest(config, svm, tmp_path):
    """Every port, MSR, leaf, device register and hypercall with bad arguments; husk survives, a good run follows after a reset."""
    status, said = run_mode(config, "h", tmp_path, svm)
    assert "no fault" not in said and "unexpected exception" not in said
    tried, good = said.split("\nhostile guest is done\n")
    assert "\nread-only memory is as before\n" in tried
    assert ("\nhypercalls\n" in tried) == (config == "pc_pvh")
    assert int(re.search(r"faults taken: (\d+)", tried)[1]) > 50000
    assert "husk: guest reset\ntest guest\nstarted again\n" in good
    assert "FPU registers are kept" in good and "NMIs 3\nnested 0\n" in good
    assert good.endswith("husk: guest powered off\n")
    assert status == 0


def test_refusals_are_named(tmp_path):
    """At level debug the host says what it refused."""
    image = in_mode(small_x86_guest("pc_pvh_min") / "husk", "h", tmp_path)
    with Guest(*run_script(image, "pc", "log=debug")) as guest:  # in the order in which the guest tries
        guest.match(r"\nhusk: debug: read of 1 bytes from 0x\w+, where there is nothing\r")
        guest.match(r"\nhusk: debug: write to 0xe0000, which is read-only, ignored\r")
        guest.match(r"\nhusk: debug: vCPU 0: read of MSR 0x[0-9a-f]+ refused at 0x[0-9a-f]+\r")
        guest.match(r"\nhusk: debug: vCPU 0: write to MSR 0x[0-9a-f]+ refused at 0x[0-9a-f]+\r")


@every
@pytest.mark.parametrize(
    "mode, why",
    [
        ("t", r"it took an exception that it could not handle \(triple fault\)"),
        ("x", "it executes at address 0xd0000000, where it has no RAM"),
        ("n", "it executes at address 0xe0000, where it has no such RAM"),
        ("m", "it uses an instruction that husk does not know for devices, at address 0xd0000000, where it has no RAM; its code: 0f 29 00"),
    ],
)
def test_crash_is_diagnosed(config, mode, why, tmp_path):
    """The run ends with status 3 and a report: why, where by symbol, registers, code, last exits."""
    status, said = run_mode(config, mode, tmp_path)
    assert status == 3, said
    assert re.search(f"^husk: error: the guest cannot go on: {why}", said, re.M)
    assert mode in "xn" or re.search(r"^rip +0x[0-9a-f]+ \(guest_main\+0x[0-9a-f]+\)$", said, re.M)
    assert re.search(r"^cr0 +[0-9a-f]{16}", said, re.M)
    assert "last exits, oldest first:\n" in said
    assert re.search(r"^code +0f (0b|29)", said, re.M) or mode in "xn"


@every
def test_spinning_guest_cannot_hold_up_the_console(config, tmp_path):
    """A guest that spins with interrupts off does not keep the user from ending the run."""
    image = in_mode(small_x86_guest(config) / "husk", "s", tmp_path)
    with Guest(*run_script(image, "pc")) as guest:
        guest.see("spinning")
        guest.type("\x01x")
        assert "husk: ended by the user" in guest.end()
        assert guest.status == 0


# --- computers that cannot


@pytest.mark.parametrize("cpu, what", [("max,-svm", "SVM"), ("max,-npt", "nested paging"), ("qemu64,-svm", "SVM")])
def test_missing_virtualization(built, cpu, what):
    """One clear line and a status that says: host."""
    command = [word if word != "max" else cpu for word in qemu("-kernel", built("pc_pvh") / "husk")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
    errors = [line for line in done.stdout.splitlines() if "error" in line]
    assert f"this computer's CPU has no {what}: the engine hvm needs AMD SVM with nested paging" in errors[0]
    assert done.returncode == (1 << 1 | 1)
