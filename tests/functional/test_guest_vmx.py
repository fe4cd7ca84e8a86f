# SPDX-License-Identifier: BSD-2-Clause
"""x86-64 guests on Intel VMX, in Bochs: QEMU has AMD's SVM only. One ISO runs on both.

HUSK_LONG=1 in the environment (`make check-vmx`) runs all; without it there is a part of it, because Bochs is slow.
"""

import os
import re

import pytest

from bochs import BochsGuest, make_iso, need_bochs
from conftest import build, make
from guest import Guest, at_once, in_mode, patched, qemu, small_x86_guest, small_x86_kernel, variant

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
    """Image of a PVH configuration with VMX in it, and other values; returns its path."""
    if config == "pc_pvh" and not values:
        return build(config) / "husk"
    name = "-".join(["vmx", config, *(f"{k}{v}" for k, v in sorted(values.items()))])
    return variant(name.lower(), config, HVM_VMX=True, **values) / "husk"


def small_image(config):
    """The same with our own kernel. pc_pvh has VMX by itself."""
    if config == "pc_pvh":
        return small_x86_guest(config) / "husk"
    if config == "pc_pvh_smp":
        return variant("vmx-small-pc_pvh_smp", config, VCPUS=2, IMAGE_CUSTOM=True, CUSTOM_KERNEL=str(small_x86_kernel())) / "husk"
    return variant(f"vmx-small-{config}", config, HVM_VMX=True, LOCAL_APIC_VIRTUAL=False, IMAGE_CUSTOM=True,
                   CUSTOM_KERNEL=str(small_x86_kernel())) / "husk"  # fmt: skip


def run_mode(config, mode, folder, *arguments, model="corei7_skylake_x"):
    """Runs our own guest in a mode to the end of the PC, or of husk; returns what was said."""
    small = in_mode(small_image(config), mode, folder)
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
    with Guest(*qemu("-cdrom", iso)) as svm, BochsGuest(iso, tmp_path) as vmx:
        at_once(Guest.boot, [svm, vmx])
        assert "GenuineIntel" in vmx.run("grep -m 1 vendor_id /proc/cpuinfo")
        for guest in (svm, vmx):
            use(guest, config == "pc_pvh")


@pytest.mark.parametrize("vcpus, cpus", [in_long(2, 2), in_long(3, 1)])
def test_several_cpus(vcpus, cpus, tmp_path):
    """Several vCPUs, each with a VMCS, on as many CPUs or in turn on one: all run, and interrupt each other."""
    iso = make_iso(image("pc_pvh_smp", VCPUS=vcpus), tmp_path / "husk.iso")
    with BochsGuest(iso, tmp_path, cpus=cpus) as guest:
        guest.boot()
        assert guest.run("nproc") == f"{vcpus}\n"
        guest.run(f"for c in $(seq 0 {vcpus - 1}); do taskset $((1 << c)) awk 'BEGIN {{ printf \"%.6f\\n\", 3 / 7 }}' || break; done")
        assert guest.result == 0
        use(guest, True)


@pytest.mark.parametrize(
    "config, vmx",
    [("pc_pvh", "full"), in_long("pc_pvh", "plain"), in_long("pc_pvh_min", "full"), in_long("pc_pvh_min", "plain")],
)
def test_hostile_guest(config, vmx, tmp_path):
    """Every port, MSR, leaf, device register and hypercall with bad arguments; husk survives, a good run follows after a reset."""
    said = run_mode(config, "h", tmp_path, f"vmx={vmx}")
    assert "no fault" not in said and "unexpected exception" not in said
    tried, good = said.split("\nhostile guest is done\n")
    assert "\nread-only memory is as before\n" in tried
    assert ("\nhypercalls\n" in tried) == (config == "pc_pvh")
    assert int(re.search(r"faults taken: (\d+)", tried)[1]) > 50000
    assert "husk: guest reset\ntest guest\nstarted again\n" in good
    assert "FPU registers are kept" in good and "NMIs 3\nnested 0\n" in good


@pytest.mark.parametrize(
    "config, vmx, model",
    [
        ("pc_pvh", "plain", "corei7_skylake_x"),
        in_long("pc_pvh_min", "full", "corei5_arrandale_m520"),
        in_long("pc_pvh", "full", "corei7_ivy_bridge_3770k"),
    ],
)
def test_registers(config, vmx, model, tmp_path):
    """FPU registers survive exits, NMIs come one after the other; from the first CPUs with unrestricted guests on."""
    said = run_mode(config, "f", tmp_path, f"vmx={vmx}", model=model)
    assert "FPU registers are kept" in said and "NMIs 3\nnested 0\n" in said


@pytest.mark.skipif(not LONG, reason="Bochs is slow: make check-vmx, or HUSK_LONG=1")
def test_kernel_in_xapic_mode(tmp_path):
    """Debian's kernel keeps its APICs in xAPIC mode and has nothing but them: timers, and interrupts from one to the other."""
    out = variant("vmx-xapic", "pc_pvh_smp", VCPUS=2, XEN_ABI=False, TIMER_ON_DEMAND=True,
                  GUEST_CMDLINE="console=ttyS0,115200 tsc_early_khz=@TSC_KHZ@ pci=off nox2apic")  # fmt: skip
    with BochsGuest(make_iso(out / "husk", tmp_path / "husk.iso"), tmp_path, cpus=2) as guest:
        guest.boot()
        assert not [line for line in guest.run("dmesg").splitlines() if "x2apic" in line.lower() and "enabled" in line.lower()]
        assert guest.run("nproc") == "2\n"
        use(guest, False)


def test_apic_in_xapic_mode(tmp_path):
    """The CPU keeps the page of registers, or every access exits: all the same, but for the time it takes."""
    told = {}
    for vmx in ("full", "plain"):
        said = run_mode("pc_pvh", "a", tmp_path, f"vmx={vmx}")
        told[vmx] = re.search(r"test guest\n(.*)ticks a read (\d+)\n", said, re.S)
    assert told["full"][1] == told["plain"][1]
    assert int(told["full"][2]) < 50 < 200 < int(told["plain"][2])


@pytest.mark.parametrize("vmx, least, most", [("full", 0, 100), ("plain", 500, 10000)])
def test_interrupts_of_another_vcpu(vmx, least, most, tmp_path):
    """None is lost, whether that vCPU runs or halts; those for one that runs do not exit (posted interrupts), or each does."""
    small = in_mode(small_image("pc_pvh_smp"), "i", tmp_path)
    with BochsGuest(make_iso(small, tmp_path / "husk.iso", f"vmx={vmx}"), tmp_path, cpus=2) as guest:
        assert re.findall(r"taken (\d+)", guest.see("done")) == ["1000", "2000"]
        guest.child.send("\x01c")
        guest.see("(husk) ")
        guest.child.send("exits\r")
        told = guest.see("(husk) ").split("vCPU 1: ")[1]
        counted = re.search(r"interrupt +(\d+)", told)
        assert least <= int(counted[1] if counted else 0) < most


@pytest.mark.parametrize("vmx, least, most", [("full", 0, 100000), in_long("plain", 200000, 20000000)])
def test_spinning_vcpu_gives_way(vmx, least, most, tmp_path):
    """Of two vCPUs in turn on one CPU, one that spins exits (PAUSE-loop exiting), long before its turn of 2 ms is over."""
    said = run_mode("pc_pvh_smp", "p", tmp_path, f"vmx={vmx}")
    assert least <= int(re.search(r"ticks a round (\d+)", said)[1]) < most


@pytest.mark.parametrize(
    "mode, why",
    [
        in_long("t", r"it took an exception that it could not handle \(triple fault\)"),
        in_long("x", "it executes at address 0xd0000000, where it has no RAM"),
        in_long("n", "it executes at address 0xe0000, where it has no such RAM"),
        in_long("m", "it uses an instruction that husk does not know for devices, at address 0xd0000000, where it has no RAM; its code: 0f 29 00"),
    ],
)
def test_crash_is_diagnosed(mode, why, tmp_path):
    """A report: why, where by symbol, registers, code, last exits by Intel's names."""
    said = run_mode("pc_pvh", mode, tmp_path)
    assert re.search(f"^husk: error: the guest cannot go on: {why}", said, re.M), said
    assert re.search(r"^cr0 +[0-9a-f]{16}", said, re.M)
    assert re.search(r"last exits, oldest first:\n(.*\n)*  (I/O|VMCALL) +at 0x", said)


def test_refused_entry_is_explained(tmp_path):
    """The CPU only says that a rule is broken; here it is the value of PAT after a reset, in an image that was changed."""
    good, bad = (value.to_bytes(8, "little") for value in (0x0007040600070406, 0x0007040600070402))

    def spoil(data, _):
        assert good in data
        data[:] = data.replace(good, bad)

    image_with_it = patched(small_image("pc_pvh_min"), tmp_path, spoil)
    with BochsGuest(make_iso(image_with_it, tmp_path / "husk.iso"), tmp_path) as guest:
        guest.see("VM entry fails: the guest's PAT is 0x7040600070402: one of its eight memory types does not exist")


@pytest.mark.parametrize("model", ["corei5_lynnfield_750", in_long("core2_penryn_t9600")])
def test_missing_virtualization(model, tmp_path):
    """One clear line about a CPU whose VMX is too little."""
    with BochsGuest(make_iso(small_image("pc_pvh"), tmp_path / "husk.iso"), tmp_path, model=model) as guest:
        guest.see(f"error: this computer's CPU has no {MODELS[model]}: the engine hvm needs Intel VMX with EPT and unrestricted guest mode")


def test_only_one_vendor():
    """An image with one of the two has nothing of the other, and is smaller by it."""
    vmx_only = variant("vmx-only", "pc_pvh_min", HVM_VMX=True, HVM_SVM=False, LOCAL_APIC_VIRTUAL=False, IMAGE_CUSTOM=True,
                       CUSTOM_KERNEL=str(small_x86_kernel()))  # fmt: skip
    sizes = {}
    for name, out in {"both": small_image("pc_pvh_min").parent, "svm": small_x86_guest("pc_pvh_min"), "vmx": vmx_only}.items():
        report = make(out, "features", "size").stdout
        sizes[name] = {line.split()[0]: int(line.split()[1]) for line in report.splitlines() if re.match(r"[\w-]+ +\d+ ", line)}
    assert "hvm-svm" not in sizes["vmx"] and "hvm-vmx" not in sizes["svm"]
    # What only one of them calls in the common part goes with it; a string that both have stays.
    for one, other in (("svm", "hvm-vmx"), ("vmx", "hvm-svm")):
        assert abs(sizes["both"]["features"] - sizes[one]["features"] - sizes["both"][other]) < 256
