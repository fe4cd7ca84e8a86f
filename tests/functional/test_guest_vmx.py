# SPDX-License-Identifier: BSD-2-Clause
"""x86-64 guests on Intel VMX, in Bochs: QEMU has AMD's SVM only. One ISO runs on both.

HUSK_LONG=1 in the environment (`make check-vmx`) runs all; without it there is a part of it, because Bochs is slow.
"""

import os
import re
import subprocess

import pytest

from bochs import BochsGuest, make_iso, need_bochs
from conftest import TREE
from guest import Guest, in_mode, qemu, small_x86_kernel, variant

LONG = bool(os.environ.get("HUSK_LONG"))
#: CPUs that have VMX, and what they lack
MODELS = {
    "core2_penryn_t9600": "EPT (extended page tables)",
    "corei5_lynnfield_750": "VMX unrestricted guest mode",
}


@pytest.fixture(autouse=True)
def bochs():
    """There is nothing to test without it."""
    need_bochs()


def in_long(*words):
    """A case that `make check` leaves out."""
    return pytest.param(*words, marks=pytest.mark.skipif(not LONG, reason="Bochs is slow: make check-vmx, or HUSK_LONG=1"))


def image(config, **values):
    """Image of a PVH configuration, with VMX in it, and other values; returns its path."""
    return variant("-".join(["vmx", config, *sorted(values)]).lower(), config, HVM_VMX=True, **values) / "husk"


def run_mode(config, mode, folder, *arguments, model="corei7_skylake_x"):
    """Runs our own guest in a mode to the end of the PC, or of husk; returns what was said."""
    small = in_mode(image(config, IMAGE_CUSTOM=True, CUSTOM_KERNEL=str(small_x86_kernel())), mode, folder)
    with BochsGuest(make_iso(small, folder / "husk.iso", *arguments), folder, model=model) as guest:
        match = guest.match(r"husk: guest powered off|---- end of report ----")
        return guest.child.before.replace("\r", "") + match[0]


def use(guest, xen):
    """Looks around at a prompt and powers off."""
    assert "x86_64" in guest.run("uname -m")
    assert guest.run("awk 'BEGIN { printf \"%.6f\\n\", 3 / 7 }'") == "0.428571\n"
    assert guest.run("cat /sys/devices/system/clocksource/clocksource0/current_clocksource") == ("xen\n" if xen else "tsc\n")
    assert not [line for line in guest.run("dmesg").splitlines() if re.search("BUG:|WARNING: CPU|Oops|Call Trace|unchecked", line)]
    assert "husk: guest powered off" in guest.power_off()


@pytest.mark.parametrize("config, arguments", [("pc_pvh", ""), in_long("pc_pvh_min", ""), in_long("pc_pvh_min", "vmx=plain")])
def test_one_iso_on_both(config, arguments, tmp_path):
    """The ISO brings Debian's kernel to its prompt on VMX, and on SVM."""
    iso = make_iso(image(config), tmp_path / "husk.iso", *arguments.split())
    with Guest(*qemu("-cdrom", iso)) as guest:
        guest.boot()
        use(guest, config == "pc_pvh")
    with BochsGuest(iso, tmp_path) as guest:
        guest.boot()
        assert "GenuineIntel" in guest.run("grep -m 1 vendor_id /proc/cpuinfo")
        use(guest, config == "pc_pvh")


@pytest.mark.parametrize(
    "config, vmx",
    [("pc_pvh", "full"), in_long("pc_pvh", "plain"), in_long("pc_pvh_min", "full"), in_long("pc_pvh_min", "plain")],
)
def test_hostile_guest(config, vmx, tmp_path):
    """Every port, MSR, leaf, device register and hypercall with bad arguments; husk survives."""
    said = run_mode(config, "h", tmp_path, f"vmx={vmx}")
    assert "\nhostile guest is done\n" in said, said
    assert "no fault" not in said and "unexpected exception" not in said
    assert int(re.search(r"faults taken: (\d+)", said)[1]) > 10000


@pytest.mark.parametrize(
    "config, vmx, model",
    [
        ("pc_pvh_min", "plain", "corei7_skylake_x"),
        in_long("pc_pvh_min", "full", "corei5_arrandale_m520"),
        in_long("pc_pvh", "full", "corei7_ivy_bridge_3770k"),
    ],
)
def test_registers(config, vmx, model, tmp_path):
    """FPU registers survive exits, NMIs come one after the other; from the first CPUs with unrestricted guests on."""
    said = run_mode(config, "f", tmp_path, f"vmx={vmx}", model=model)
    assert "FPU registers are kept" in said and "NMIs 3\nnested 0\n" in said


@pytest.mark.parametrize(
    "mode, why",
    [
        in_long("t", r"it took an exception that it could not handle \(triple fault\)"),
        in_long("x", "it executes at address 0xd0000000, where it has no RAM"),
        in_long("m", "it uses an instruction that husk does not know for devices, at address 0xd0000000, where it has no RAM; its code: 0f 29 00"),
    ],
)
def test_crash_is_diagnosed(mode, why, tmp_path):
    """A report: why, where by symbol, registers, code, last exits by Intel's names."""
    said = run_mode("pc_pvh", mode, tmp_path)
    assert re.search(f"^husk: error: the guest cannot go on: {why}", said, re.M), said
    assert re.search(r"^cr0 +[0-9a-f]{16}", said, re.M)
    assert re.search(r"last exits, oldest first:\n(.*\n)*  (I/O|VMCALL) +at 0x", said)


@pytest.mark.parametrize("model", ["corei5_lynnfield_750", in_long("core2_penryn_t9600")])
def test_missing_virtualization(model, tmp_path):
    """One clear line about a CPU whose VMX is too little."""
    small = image("pc_pvh", IMAGE_CUSTOM=True, CUSTOM_KERNEL=str(small_x86_kernel()))
    with BochsGuest(make_iso(small, tmp_path / "husk.iso"), tmp_path, model=model) as guest:
        guest.see(f"error: this computer's CPU has no {MODELS[model]}: the engine hvm needs Intel VMX with EPT and unrestricted guest mode")


def test_only_one_vendor():
    """An image with one of the two has nothing of the other, and is smaller by it."""
    sizes = {}
    vmx = {"HVM_VMX": True, "LOCAL_APIC_VIRTUAL": False}
    for name, values in {"both": vmx, "svm": {"HVM_VMX": False}, "vmx": vmx | {"HVM_SVM": False}}.items():
        out = variant(f"vmx-only-{name}", "pc_pvh_min", **values, IMAGE_CUSTOM=True, CUSTOM_KERNEL=str(small_x86_kernel()))
        report = subprocess.run(["make", "-C", TREE, f"O={out}", "features", "size"], capture_output=True, text=True, check=True).stdout
        sizes[name] = {line.split()[0]: int(line.split()[1]) for line in report.splitlines() if re.match(r"[\w-]+ +\d+ ", line)}
    assert "hvm-svm" not in sizes["vmx"] and "hvm-vmx" not in sizes["svm"]
    alignment = 128
    for one, other in (("svm", "hvm-vmx"), ("vmx", "hvm-svm")):
        assert abs(sizes["both"]["features"] - sizes[one]["features"] - sizes["both"][other]) < alignment
