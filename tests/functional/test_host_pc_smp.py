# SPDX-License-Identifier: BSD-2-Clause
"""The host `pc` with several CPUs: the probe of test_host_pc.py, linked with what takes the place of one CPU."""

import re

import pytest

from bochs import BochsGuest, make_iso
from conftest import build
from test_host_pc import FAULTS, LINK, boot, number

CPUS = 4
SMP_LINK = (LINK.replace("$(objs-host-pc)", "$(filter-out %/one.o,$(objs-host-pc)) $(objs-pc-smp) "
                         "tests/functional/host_pc_smp_probe.o").replace("$(O)/probe", "$(O)/probe-smp"))


@pytest.fixture(scope="session", name="probe")
def build_probe():
    """Path of the probe."""
    return str(build("pc_virt", SMP_LINK, "host-pc-probe") / "probe-smp")


def boot_smp(probe, cpus=CPUS, **more):
    """A machine with several CPUs at the probe's prompt."""
    return boot(probe, "-smp", str(cpus), **more)


def check_cpus(do, kicks):
    """All CPUs that ACPI names start, are woken each time, keep one time, have timers, and write whole lines."""
    assert do(f"kick-all {kicks}") == f"{CPUS} CPUs, APIC ids f, 0 wrong"
    assert do("deadline-all 5") == f"{CPUS - 1} fired, 0 early"
    lines = do("talk").splitlines()
    assert lines.pop() == "done"
    whole = {f"line {i:02} of CPU {cpu:02} is as long as it is and whole" for i in range(50) for cpu in range(1, CPUS)}
    assert len(lines) == len(whole) and set(lines) == whole


@pytest.mark.parametrize("machine", ["q35", "microvm,acpi=on"])
def test_starts_cpus(probe, machine):
    """In xAPIC mode, which is all that QEMU emulates, with the count-down timer."""
    with boot_smp(probe, machine=machine) as m:
        facts = m.do("attach")
        assert f"pc: {CPUS} CPUs in use" in facts and ", APIC timer at" in facts
        check_cpus(m.do, 200)
        assert m.last("exit 0")[1] == 0


def test_starts_cpus_in_x2apic_mode(probe, tmp_path):
    """In x2APIC mode, with the TSC-deadline timer; booted from a disc."""
    with BochsGuest(make_iso(probe, tmp_path / "probe.iso"), tmp_path, cpus=CPUS) as m:

        def do(command):
            m.type(command + "\r")
            return m.see("probe> ").replace("\r", "").strip()

        m.see("probe> ")
        facts = do("attach")
        assert f"pc: {CPUS} CPUs in use" in facts and "x2APIC timer in TSC-deadline mode" in facts
        check_cpus(do, 20)
        m.type("there exit\r")
        m.end()  # the last of the CPUs has switched it off


@pytest.mark.parametrize(("cpus", "used"), [("1", 1), ("2,maxcpus=8", 2), ("3,sockets=3", 3), ("20", 16)])
def test_uses_what_is_there(probe, cpus, used):
    """One CPU is enough; absent ones are not waited for; more than there may be vCPUs are left alone."""
    with boot_smp(probe, cpus) as m:
        assert f"pc: {used} CPU" in m.do("attach")
        assert m.do("kick-all 3").startswith(f"{used} CPUs,")
        assert m.last("exit 0")[1] == 0


@pytest.mark.parametrize("where", ["there", "here"])
@pytest.mark.parametrize(("how", "status"), [("exit", 0), ("fail", 3 << 1 | 1)])
def test_ends_on_any_cpu(probe, where, how, status):
    """The run ends from any CPU while others spin, also with interrupts masked."""
    with boot_smp(probe) as m:
        assert m.last(f"{where} {how}")[1] == status


@pytest.mark.parametrize("where", ["there", "here"])
@pytest.mark.parametrize("how", ["invalid", "double"])
def test_reports_once(probe, where, how):
    """An exception on any CPU is reported by that one, once, and ends the run."""
    with boot_smp(probe) as m:
        text, status = m.last(f"{where} {how}")
        assert FAULTS[f"fault {how}"] in text and status == 3
        assert len(re.findall("this is a bug in husk", text)) == 1


def test_memory_is_the_same(probe):
    """Other CPUs cost their stacks, no more, and are not in the way of the rest."""
    with boot_smp(probe, 1) as one, boot_smp(probe) as four:
        free = [number(r"(\d+) MiB free", m.do("hello")) for m in (one, four)]
        assert free[0] - free[1] <= 1
        assert "bad" not in four.do("alloc 1")
        assert four.do("kick-all 3").startswith("4 CPUs")
