# SPDX-License-Identifier: BSD-2-Clause
"""x86-64 guests with four vCPUs: Debian's kernel on computers with one CPU and with two, with the Xen ABI and without."""

import contextlib
import itertools
import json
import os
import re
import socket
import threading

import pytest

from guest import PROMPT, WELCOME, Guest, boot_all, qemu, variant

VCPUS = 4
#: What interrupts of one vCPU by another are called, and timers: names of lines of /proc/interrupts, `*` for the vCPU.
XEN = ("resched*", "callfuncsingle*", "timer*")
APIC = ("RES", "CAL", "LOC")
#: By configuration: CPUs of the computer, values in which it differs from pc_pvh_smp, names.
CONFIGS = {
    "pc_pvh_smp": (2, {}, XEN),
    "pc_pvh_smp-one": (1, {}, XEN),
    "pc_pvh_smp_apic": (2, {"XEN_ABI": False}, APIC),
    "pc_pvh_smp_2l": (1, {"EVENT_CHANNELS_FIFO": False}, XEN),
}
#: Gives each vCPU something to do.
BUSY = f"for i in $(seq 0 {VCPUS - 1}); do taskset $(printf %x $((1 << i))) sh -c 'while :; do :; done' & done"
LONG = [pytest.mark.skipif("HUSK_LONG" not in os.environ, reason="takes minutes: set HUSK_LONG=1")]
every = pytest.mark.parametrize("config", [pytest.param(name, marks=LONG if "2l" in name else []) for name in CONFIGS])


def computer(image, cpus, *options):
    """Command line of a computer with as many CPUs, which QEMU cannot run in threads: see images/run.sh."""
    return qemu("-smp", str(cpus), "-kernel", image, *options, memory=640, accel="tcg,thread=single")


def base_values(values):
    """Without the Xen ABI there is no paravirtual time."""
    return values if values.get("XEN_ABI", True) else {**values, "TIMER_ON_DEMAND": True}


@pytest.fixture(scope="module", name="guests")
def boot_every_config(request, built):
    """Guests at their prompts by configuration; all boot at the same time."""
    wanted = {item.callspec.params["config"] for item in request.session.items
              if item.module is request.module and "config" in item.fixturenames
              and not any(m.args[0] for m in item.iter_markers("skipif"))}
    commands = {}
    for name in sorted(wanted):
        cpus, values, _ = CONFIGS[name]
        image = (variant(name, "pc_pvh_smp", **base_values(values)) if values else built("pc_pvh_smp")) / "husk"
        commands[name] = computer(image, cpus)
    with contextlib.ExitStack() as stack:
        guests, _ = boot_all(commands)
        for guest in guests.values():
            stack.enter_context(guest)
        yield guests


@pytest.fixture(name="guest")
def guest_of_config(guests, config):
    """The guest of the test's configuration."""
    return guests[config]


def counts(guest, name):
    """Interrupts of that name on each vCPU; those of one vCPU only have its number in their name."""
    text = guest.run("cat /proc/interrupts")
    found = [0] * VCPUS
    for cpu in range(VCPUS):
        line = re.search(rf"^.* {name.replace('*', str(cpu))}$" if "*" in name else rf"^ *{name}:.*$", text, re.M)
        assert line, f"no {name} of vCPU {cpu} in\n{text}"
        found[cpu] = int(re.findall(r" (\d+)(?= )", line[0])[cpu])
    return found


def online(guest):
    """vCPUs that the guest uses."""
    return guest.run("cat /sys/devices/system/cpu/online").strip()


@every
def test_has_its_cpus(guest, config):
    """The guest sees all vCPUs, has nothing to complain about, and each of them runs what it is given."""
    assert config and guest.run("grep -c ^processor /proc/cpuinfo") == f"{VCPUS}\n"
    assert online(guest) == f"0-{VCPUS - 1}"
    ids = guest.run("awk '/^initial apicid/ { print $4 }' /proc/cpuinfo").split()
    assert ids == [str(cpu) for cpu in range(VCPUS)]
    assert not [line for line in guest.run("dmesg").splitlines() if re.search("BUG:|WARNING: CPU|Oops|Call Trace|unchecked|rcu: INFO", line)]
    for cpu in range(VCPUS):
        assert guest.run(f"taskset {1 << cpu:x} awk '{{ print $39 }}' /proc/self/stat") == f"{cpu}\n"


@every
def test_interrupts_reach_each_cpu(guest, config):
    """Each vCPU has a timer, and is interrupted by others: to look for work, and to call functions."""
    for name in CONFIGS[config][2]:
        assert all(n > 0 for n in counts(guest, name)), name


@every
def test_cpu_goes_and_comes(guest, config):
    """The guest takes a vCPU off line and starts it again, several times, while others are busy."""
    assert config
    guest.run("for i in 0 2; do taskset $((1 << i)) sh -c 'while :; do :; done' & done")
    for cpu in (1, 3, 1):
        guest.run(f"echo 0 > /sys/devices/system/cpu/cpu{cpu}/online")
        assert guest.result == 0 and str(cpu) not in online(guest).replace("0-3", "all")
        guest.run(f"echo 1 > /sys/devices/system/cpu/cpu{cpu}/online")
        assert guest.result == 0 and online(guest) == f"0-{VCPUS - 1}"
        assert guest.run(f"taskset {1 << cpu:x} awk '{{ print $39 }}' /proc/self/stat") == f"{cpu}\n"
    guest.run("kill $(jobs -p)")


@every
def test_ends_while_all_are_busy(guest, config):
    """Reboot and power-off with all vCPUs busy; the guest that starts again has all of them."""
    assert config
    if CONFIGS[config][0] > 1:  # once is enough where it takes twice as long
        guest.run(BUSY)
        guest.type("reboot -f\r")
        guest.see("husk: guest reset")
        guest.see(WELCOME)
        guest.see(PROMPT)
        assert online(guest) == f"0-{VCPUS - 1}"
    guest.run(BUSY)
    guest.type("poweroff -f\r")
    assert "husk: guest powered off" in guest.end()
    assert guest.status == 0


def stop_and_continue(path, enough):
    """Has the computer whose QMP socket is at `path` stop and go on, all the time, until the event `enough`. It goes on then."""
    with socket.socket(socket.AF_UNIX) as qmp:
        while qmp.connect_ex(str(path)) != 0:
            assert not enough.wait(0.05), "there is no QMP socket"
        said = qmp.makefile()
        for name in itertools.chain(["qmp_capabilities"], itertools.cycle(["stop", "cont"])):
            qmp.sendall(json.dumps({"execute": name}).encode())
            # Events come in between; commands without an answer yet are dropped when we hang up.
            assert any("return" in json.loads(line) for line in said)
            if name == "cont" and enough.is_set():
                return


def test_computer_that_stands_still_now_and_then(built, tmp_path):
    """Wherever its CPUs are when it stops, the guest gets each interrupt once, and only where it takes any."""
    path, enough = tmp_path / "qmp", threading.Event()
    with Guest(*computer(built("pc_pvh_smp") / "husk", 2, "-qmp", f"unix:{path},server=on,wait=off")) as guest:
        stopping = threading.Thread(target=stop_and_continue, args=(path, enough))
        stopping.start()
        try:
            guest.boot()
            guest.run(BUSY)
            for _ in range(3):
                guest.run("for i in $(seq 200); do true & done; sleep 1")
        finally:
            enough.set()
            stopping.join()
        guest.type("poweroff -f\r")
        assert "husk: guest powered off" in guest.end()
