# SPDX-License-Identifier: BSD-2-Clause
"""An unmodified kernel with the Xen ABI uses it: events, time, console and shutdown, with each part left out in turn."""

import contextlib
import re
import time

import pytest

from guest import PROMPT, WELCOME, Guest, boot_all, make_run, run_script, variant

#: What a configuration has: the event channel ABI, clock and timer, as the guest names them.
CONFIGS = {
    "pc_pvh": ("FIFO-based", "xen", "xen"),
    "xen_2l": ("2-level", "xen", "xen"),
    "xen_fifo": ("FIFO-based", "xen", "xen"),
    "xen_lapic": ("FIFO-based", "tsc", "lapic"),
}
every = pytest.mark.parametrize("config", CONFIGS)


def values(config):
    """Symbols in which a configuration differs from pc_pvh."""
    return {
        "xen_2l": {"EVENT_CHANNELS_FIFO": False},
        "xen_fifo": {"EVENT_CHANNELS_2L": False},
        "xen_lapic": {"TIMER_PV": False, "TIMER_ON_DEMAND": True},
    }[config]


@pytest.fixture(scope="module", name="session")
def boot_every_config(request, built):
    """Guests at their prompts, and what they said, by configuration."""
    wanted = {item.callspec.params["config"] for item in request.session.items if item.module is request.module}
    images = {name: built(name) if name == "pc_pvh" else variant(name, "pc_pvh", **values(name)) for name in sorted(wanted)}
    with contextlib.ExitStack() as stack:
        guests, said = boot_all({name: make_run(out) for name, out in images.items()})
        for guest in guests.values():
            stack.enter_context(guest)
        yield guests, said


@pytest.fixture(name="guest")
def guest_of_config(session, config):
    """The guest of the test's configuration."""
    return session[0][config]


def interrupts(guest):
    """Interrupts so far by name, the last word of each line."""
    lines = re.findall(r"^ *\w+: +(\d+) +\S.* (\S+)$", guest.run("cat /proc/interrupts"), re.M)
    return {name: int(count) for count, name in lines}


@every
def test_finds_xen(guest, config):
    """The kernel runs on Xen, by PVH, and says which parts it uses; it has nothing to complain about."""
    abi, clock, timer = CONFIGS[config]
    messages = guest.run("dmesg")
    for text in ("Hypervisor detected: Xen HVM", "Booting kernel on Xen PVH", "Xen version: 4.17-husk", f"Using {abi} ABI"):
        assert text in messages
    assert not re.search(r"WARNING|BUG:|Oops|Call Trace|rcu.*stall|clocksource.*unstable|grant_table.*failed", messages)
    clocks = guest.run("cd /sys/devices/system; cat clocksource/clocksource0/current_clocksource clockevents/clockevent0/current_device; cd")
    assert re.fullmatch(rf"{clock}\n{timer}(-deadline)?\n", clocks)
    assert guest.run("cat /sys/hypervisor/type /sys/hypervisor/guest_type") == "xen\nPVH\n"


@every
def test_interrupts_are_events(guest, config):
    """Timer and console come by event channels, and nothing by an interrupt controller."""
    before = interrupts(guest)
    guest.run("sleep 1")
    after = interrupts(guest)
    assert after["hvc_console"] > before["hvc_console"]
    if CONFIGS[config][2] == "xen":
        assert after["timer0"] > before["timer0"]
        assert "LOC:          0" in guest.run("grep LOC /proc/interrupts")
    else:
        assert "timer0" not in after


@pytest.mark.parametrize("config", [name for name, parts in CONFIGS.items() if parts[2] == "xen"])
def test_tickless(guest, config):
    """A guest that sleeps has no tick: far fewer timer interrupts than its 250 Hz."""
    before = interrupts(guest)["timer0"]
    guest.run("sleep 20")
    assert interrupts(guest)["timer0"] - before < 20 * 250 / 4, config


@every
def test_wall_clock(guest, config):
    """The guest knows what time it is, by paravirtual time; a sleep that starts with a second ends in the next one."""
    if CONFIGS[config][1] == "xen":
        assert abs(int(guest.run("date +%s")) - time.time()) < 60
    seconds = guest.run(
        "s=$(date +%s); while a=$(date +%s); [ $a = $s ]; do :; done; sleep 1; echo $(($(date +%s) - a))")
    assert seconds == "1\n"


@every
def test_console_takes_and_gives(guest, config):
    """More than the rings hold passes through them, in both directions, and nothing is lost."""
    assert guest.run("seq 5000").split() == [str(n) for n in range(1, 5001)], config
    line = "x" * 900
    guest.type("cat > /tmp/typed\r")
    for _ in range(5):
        guest.type(line + "\r")
    guest.type("\x04")
    guest.see(PROMPT)
    assert guest.run("wc -lc < /tmp/typed | tr -s ' ' | sed 's/^ //'") == "5 4505\n"


@every
def test_restart_and_end(guest, config):
    """reboot starts again, with all of it in order; poweroff ends the run."""
    guest.type("reboot\r")
    guest.see("guest reset")
    guest.boot()
    assert f"Using {CONFIGS[config][0]} ABI" in guest.run("dmesg")
    assert guest.run("sleep 1; echo up") == "up\n"
    guest.power_off()
    assert guest.status == 0


@pytest.mark.parametrize("config", ["pc_pvh"])
def test_panic_is_a_crash(built, config):
    """The kernel tells the hypervisor of its panic, and the run ends with the status for that."""
    with Guest(*run_script(built(config) / "husk", "pc")) as guest:  # make would end with a status of its own
        guest.boot()
        guest.type("echo c > /proc/sysrq-trigger\r")
        text = guest.end()
        assert "sysrq triggered crash" in text and WELCOME not in text
        assert "the guest says that it has crashed" in text
        assert guest.status == 3
