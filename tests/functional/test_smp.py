# SPDX-License-Identifier: BSD-2-Clause
"""Several vCPUs: a small kernel that tries what cores do to each other, and Linux on four of them."""

import contextlib
import os
import re
import struct
import subprocess

import pytest

from guest import PROMPT, Guest, make_run, patched, small_smp_kernel, variant

LONG = os.environ.get("HUSK_LONG")
ROUNDS = 100_000_000 if LONG else 1000
BOOTS = 50

CHECKS = """
    ll sc, lld scd, laa, saad, sc fails behind a store of another core, message passing, store buffering, load buffering,
    independent reads, code of one core run by others, mailbox interrupts of waiting cores
"""

#: ways to execute it
KINDS = {
    "dbt": {},
    "big-endian": {"GUEST_BIG_ENDIAN": True},
    "bare": {"BLOCK_LINKING": False, "INDIRECT_CACHE": False, "SUPERBLOCKS": False, "ACCESS_GROUPS": False},
    "interp": {"ENGINE_INTERP": True},
    "turns": {"SMP_ONE_CPU": True},
    "icount": {"ENGINE_INTERP": True, "SMP_ONE_CPU": True, "TIMER_ICOUNT": True},
}


def image(kind, **values):
    """Folder of an image with the small kernel."""
    values = {**KINDS[kind], **values}
    kernel = small_smp_kernel(values.get("GUEST_BIG_ENDIAN", False))
    return variant(f"guest-smp-{kind}", "linux_octeon_smp", IMAGE_CUSTOM=True, CUSTOM_KERNEL=str(kernel), DIAGNOSE=False, **values)


def run(kind, folder, rounds):
    """What the kernel says, asked for so many rounds of each test."""
    order = ">Q" if KINDS[kind].get("GUEST_BIG_ENDIAN") else "<Q"

    def change(data, at):
        place = at("husk smp rounds:") + 16
        data[place : place + 8] = struct.pack(order, rounds)

    with Guest(patched(image(kind) / "husk", folder, change)) as guest:
        guest.child.timeout = 48 * 3600 if LONG else 600
        text = guest.end()
        assert guest.status == 0, text
    return text


@pytest.mark.parametrize("kind", KINDS)
def test_cores_agree(kind, tmp_path):
    """Atomic operations, order of accesses, changing code, mailboxes; see guests/smp_guest.c. It ends when all have halted."""
    # In turns of 2 ms each answer of another core takes some of them.
    text = run(kind, tmp_path, ROUNDS if kind != "turns" else 50)
    results = re.findall(r"^(ok|FAILED) (.*?)\r+$", text, re.M)
    assert [name for result, name in results if result != "ok"] == []
    assert [name for _, name in results] == re.split(r",\s+", CHECKS.strip())
    assert re.search(r"guest halted for good at .*: powering off", text)


def test_runs_by_instructions_repeat(tmp_path):
    """All vCPUs on one CPU with time that goes by instructions: each run is the same, to the outcomes of races."""
    first, second = (run("icount", tmp_path, 200) for _ in range(2))
    assert first == second


def test_boots_by_instructions_repeat():
    """Linux does: four vCPUs come to the prompt, with the same times in each line of the log."""
    folder = variant("smp-linux-icount", "linux_octeon_smp", SMP_ONE_CPU=True, TIMER_ICOUNT=True)
    said = []
    for _ in range(2):
        with Guest(folder / "husk") as guest:
            said.append(guest.boot())
    assert said[0] == said[1] and "4 CPUs" in said[0]


def test_pinned_vcpus_stay(tmp_path):
    """With SMP_PIN the threads of the vCPUs may use one CPU each, in turn of those that the process may use."""
    wanted = sorted(os.sched_getaffinity(0))
    folder = variant("guest-smp-pin", "linux_octeon_smp", IMAGE_CUSTOM=True, CUSTOM_KERNEL=str(small_smp_kernel()), DIAGNOSE=False, SMP_PIN=True)
    with Guest(patched(folder / "husk", tmp_path, lambda data, at: at("husk smp rounds:"))) as guest:
        guest.see("ok ll sc")  # all run
        sets = [sorted(os.sched_getaffinity(int(task))) for task in os.listdir(f"/proc/{guest.child.pid}/task")]
        guest.type("\x01x")
        guest.end()
    # The thread of the console's input may use all.
    assert sorted(sets) == sorted([wanted, *([wanted[n % len(wanted)]] for n in range(4))])


@pytest.fixture(scope="module", name="linux")
def linux_on_four(built):
    """Linux at its prompt, with four vCPUs."""
    with Guest(built("linux_octeon_smp") / "husk") as guest:
        guest.boot()
        yield guest


def test_linux_on_the_cpus_of_a_pc(built):
    """The same on the CPUs that the computer has, of which two vCPUs share one at least."""
    with Guest(*make_run(built("pc_octeon_smp"))) as guest:
        guest.boot()
        uses_all(guest)
        guest.type("poweroff\r")
        assert "husk: guest powered off" in guest.end()
        assert guest.status == 0


def test_linux_uses_all(linux):
    """All processors are there, each runs what it is told to, and gets interrupts of the others."""
    uses_all(linux)


def uses_all(linux):
    """Four processors that work."""
    assert linux.run("grep -c ^processor /proc/cpuinfo").strip() == "4"
    for n in range(4):
        assert linux.run(f"taskset {1 << n:x} sh -c 'cut -d\" \" -f39 /proc/self/stat'").strip() == str(n)
    counts = re.search(r"^\s*\d+:((?:\s+\d+){4})\s+CIU-M\s+SMP-IPI", linux.run("cat /proc/interrupts"), re.M)
    assert all(int(count) > 0 for count in counts[1].split())


def test_linux_computes_the_same_on_all(linux):
    """Many processes on four vCPUs, through pipes: fork, exec, TLBs, locks, interrupts between them. All get the same sum."""
    compute(linux, 8)


def compute(linux, processes):
    """The same sum three times in each of so many processes."""
    one = "dd if=/bin/busybox bs=64k count=8 2>/dev/null | gzip -1 | gunzip | md5sum"
    text = linux.run(f"for i in $(seq {processes}); do ({one}; {one}; {one}) >/tmp/sums$i & done; wait; cat /tmp/sums*")
    sums = re.findall(r"^([0-9a-f]{32})  -$", text, re.M)
    assert len(sums) == 3 * processes and len(set(sums)) == 1, text


def test_code_is_dropped_while_others_run_it():
    """A code cache that is much too small: all translations go again and again, which all vCPUs share, and the sums are right."""
    with Guest(variant("smp-small-cache", "linux_octeon_smp", CODE_CACHE_MB=1) / "husk") as guest:
        guest.boot()
        compute(guest, 4)
        guest.type("\x01cdbt\r")
        assert int(guest.match(r"cache flushed (\d+) times")[1]) > 100
        guest.type("\x01x")
        guest.end()


@contextlib.contextmanager
def loaded(cpus):
    """A process on each of these CPUs of the host that never waits."""
    loops = [subprocess.Popen(["taskset", "-c", str(cpu), "sh", "-c", "while :; do :; done"]) for cpu in cpus]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.skipif(not LONG, reason="many boots on a loaded host take long; HUSK_LONG=1 has them")
@pytest.mark.parametrize("count", (1, 2))
def test_linux_always_boots_on_a_loaded_host(built, count):
    """Four vCPUs on one or two CPUs of the host, which all have something else to do: each boot comes to the end."""
    image, cpus = built("linux_octeon_smp") / "husk", sorted(os.sched_getaffinity(0))[:count]
    with loaded(cpus):
        for number in range(BOOTS):
            with Guest("taskset", "-c", ",".join(map(str, cpus)), image) as guest:
                guest.boot()
                assert guest.run("nproc").strip() == "4", f"boot {number}"
                assert "husk: guest powered off" in guest.power_off(), f"boot {number}"


def test_linux_starts_again_and_ends_busy(linux):
    """With a program on each vCPU: reboot, and power-off."""
    busy = "for n in 1 2 3 4; do sh -c 'while :; do :; done' & done"
    linux.run(busy)
    linux.type("reboot\r")
    linux.see("guest reset")
    linux.see(PROMPT)
    linux.run(busy)
    linux.type("poweroff\r")
    text = linux.end()
    assert "husk: guest powered off" in text
    assert linux.status == 0
