# SPDX-License-Identifier: BSD-2-Clause
"""The guest's clock is right within 1 %, under every timer model."""

import contextlib
import time

import pytest

from guest import at_once, boot_all, make_run, variant

SLEEP = 10  # seconds that the guest sleeps; at 1 % its clock may be off by a tenth of a second then
ATTEMPTS = 3  # a busy host delays what it is told, now and then; a wrong clock is always wrong
CONFIGS = ("linux_octeon", "linux_virt", "periodic_octeon", "periodic_virt")
every = pytest.mark.parametrize("config", CONFIGS)


@pytest.fixture(scope="module", name="guests")
def boot_every_model(built):
    """Guests at their prompts, by configuration."""
    images = {name: built(name) for name in CONFIGS[:2]}
    for name in CONFIGS[2:]:
        images[name] = variant(name, name.replace("periodic", "linux"), TIMER_PERIODIC=True)
    with contextlib.ExitStack() as stack:
        guests, said = boot_all({name: make_run(out) for name, out in images.items()})
        for name, guest in guests.items():
            stack.enter_context(guest)
            assert f" timer-{'periodic' if name.startswith('periodic') else 'on-demand'}" in said[name]
        yield guests


def stretch(guest):
    """Seconds that pass for the guest and for us between two marks that the guest prints."""
    mark = "read up rest < /proc/uptime; echo 'ma'rk-$up,"
    guest.type(f"{mark}; sleep {SLEEP}; {mark}\r")
    start = float(guest.match(r"mark-([\d.]+),")[1])
    began = time.monotonic()
    end = float(guest.match(r"mark-([\d.]+),")[1])
    passed = time.monotonic() - began
    guest.run(":")
    return end - start, passed


def wrong_by(times):
    """By how much a clock that said times[0] was wrong when times[1] seconds passed, as a fraction."""
    return abs(times[0] / times[1] - 1)


@pytest.fixture(scope="module", name="errors")
def measure_every_clock(guests):
    """Smallest error of several attempts by configuration; all guests sleep at the same time."""
    errors = dict.fromkeys(guests, 1.0)
    for _ in range(ATTEMPTS):
        wrong = [name for name, error in errors.items() if error >= 0.01]
        for name, times in zip(wrong, at_once(stretch, [guests[name] for name in wrong]) if wrong else ()):
            assert times[0] >= SLEEP, f"{name}: slept {times[0]} s by its own clock"
            errors[name] = min(errors[name], wrong_by(times))
    return errors


@every
def test_clock(errors, config):
    """The guest's seconds are as long as ours, within 1 %."""
    assert errors[config] < 0.01


@every
def test_one_second(guests, config):
    """A sleep of a second that starts with a second ends in the next one, by the date."""
    seconds = guests[config].run(
        "s=$(date +%s); while a=$(date +%s); [ $a = $s ]; do :; done; sleep 1; echo $(($(date +%s) - a))")
    assert seconds == "1\n"


@every
def test_time_goes_forward(guests, config):
    """The clock never goes back, and sleeps shorter than a tick end."""
    guest = guests[config]
    assert guest.run("l=0; for i in $(seq 200); do read u r < /proc/uptime; u=${u%.*}${u#*.}; [ $u -ge $l ] || echo back; l=$u; done") == ""
    assert guest.run("for i in 1 2 3 4 5 6 7 8 9 10; do usleep 100; done; echo awake") == "awake\n"
