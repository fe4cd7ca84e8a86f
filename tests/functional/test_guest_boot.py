# SPDX-License-Identifier: BSD-2-Clause
"""Every defconfig, as its user has it: `make run` boots to a shell that works, restarts and powers off."""

import contextlib
import hashlib
import os
import random
import re
import string

import pytest

from conftest import TREE, make
from guest import PROMPT, at_once, boot_all, make_run

# Those with a root file system of Debian end at a login: test_debian.py has them. Four cores that are translated on an
# emulated computer take minutes.
ON_REQUEST = () if os.environ.get("HUSK_LONG") else ("pc_octeon_smp",)
CONFIGS = sorted(path.name.removesuffix("_defconfig") for path in (TREE / "defconfigs").iterdir()
                 if "_debian" not in path.name and not path.name.startswith(ON_REQUEST))
TROUBLE = re.compile(r"BUG|WARNING|Oops|Call Trace|Unhandled|rcu.*stall|Unable to handle|reserved instruction|[Ss]egfault")
every = pytest.mark.parametrize("config", CONFIGS)


@pytest.fixture(scope="module", name="session")
def boot_every_defconfig(request, built):
    """The guests of all tests to come, at their prompts, and what they said at boot. Tests share them, in their order."""
    wanted = {item.callspec.params["config"] for item in request.session.items if item.module is request.module}
    with contextlib.ExitStack() as stack:
        guests, said = boot_all({name: make_run(built(name)) for name in sorted(wanted)})
        for guest in guests.values():
            stack.enter_context(guest)
        yield guests, said


@pytest.fixture(name="guest")
def guest_of_config(session, config):
    """The guest of the test's configuration."""
    return session[0][config]


def without_trouble(guest):
    """True if the kernel has nothing to complain about."""
    lines = [line for line in guest.run("dmesg").splitlines() if TROUBLE.search(line)]
    assert not lines, lines
    return True


@every
def test_boot(session, built, config):
    """husk names the image and its features: those that `make features` lists."""
    said = session[1][config]
    assert re.search(rf"^husk \S+ \({config}\): host {config.split('_')[0]}, guest debian-\w+ with (1 vCPU|4 vCPUs) and 256 MiB\r+$", said, re.M)
    features = re.findall(r"^husk: features (.*?)\r+$", said, re.M)
    assert len(features) == 1
    assert sorted(features[0].split()) == make_features(built(config))
    if config.startswith("linux"):  # QEMU turns output processing of its terminal on
        assert "\r\r" not in said


def make_features(out):
    """Names of features that `make features` prints, in its order: what comes before the core."""
    names = re.findall(r"^([a-z][\w-]+) +\d+ +\d+ +\S", make(out, "features").stdout, re.M)
    return names[: names.index("core")]


@every
def test_commands(guest, config):
    """The kernel is the unmodified one, and programs run: loops, arithmetic, files, pipes, statuses."""
    octeon, pvh = "octeon" in config, "pvh" in config
    machine = "x86_64" if pvh else "mips64"
    assert re.fullmatch(rf"Linux husk 6\.1\.\S+ #1 .*Debian .* {machine} GNU/Linux\n", guest.run("uname -a"))
    assert ("-octeon " in guest.run("uname -a")) == octeon
    cpu = r"flags\t+: .*hypervisor" if pvh else rf"cpu model\t+: {'Cavium Octeon II' if octeon else 'MIPS'} .*FPU"
    assert re.search(rf"^{cpu}", guest.run("cat /proc/cpuinfo"), re.M)
    assert guest.run("s=0; for i in $(seq 200); do s=$((s + i)); done; echo $s") == "20100\n"
    assert guest.run("seq 900 | grep 7 | sort -rn | tail -1") == "7\n"
    assert guest.run("seq 3000 > /tmp/a; gzip < /tmp/a | gunzip | cmp - /tmp/a && wc -l < /tmp/a") == "3000\n"
    expected = hashlib.sha256(b"".join(b"%d\n" % n for n in range(1, 3001))).hexdigest()
    assert guest.run("sha256sum < /tmp/a").split()[0] == expected
    assert guest.run("ls /proc/self/exe; rm /tmp/a; ls /tmp/a").count("/tmp/a") == 1
    assert guest.result == 1
    assert guest.run("awk 'BEGIN { printf \"%.6f\\n\", 3 / 7 }'") == "0.428571\n"
    assert without_trouble(guest)


@every
def test_job_control(guest, config):
    """Jobs go to the background and back; Ctrl-C and Ctrl-Z reach what runs in front, and nothing else."""
    del config
    wait = "until jobs > /tmp/jobs; grep -q %s /tmp/jobs; do sleep 0.1; done"
    # In the background it may not read, so it stops. Every key is typed when it is known who gets it.
    guest.run("sh -c 'echo got-$(head -n 1); exec sleep 1000' & " + wait % "Stopped")
    assert "Stopped" in guest.run("jobs")
    guest.type("fg\rhello\r")
    guest.see_line("got-hello")
    guest.type("\x1a")
    guest.see("Stopped")
    guest.see(PROMPT)
    assert "Stopped" in guest.run("jobs")
    guest.run("bg; " + wait % "Running")
    guest.run("kill %1; wait")
    assert guest.run("jobs") == ""
    for what in ("exec sleep 1000", "exec cat", "while :; do :; done"):
        guest.type(f"sh -c 'echo rea''dy; {what}'\r")
        guest.see_line("ready")
        guest.type("\x03")
        guest.see("^C")
        guest.see(PROMPT)
        guest.type("echo sta''tus=$?\r")
        guest.see_line("status=130")
        guest.see(PROMPT)


@every
def test_paste(guest, config):
    """A paste arrives complete and in order, at once as it is, while every byte is echoed."""
    letters = random.Random(config)
    for lines in (1, 16):
        text = "".join("".join(letters.choices(string.ascii_letters + string.digits, k=1024 // lines - 1)) + "\n" for _ in range(lines))
        guest.type("echo 'rea'dy; cat > /tmp/paste\r")
        guest.see_line("ready")
        guest.type(text + "\x04")
        guest.see(PROMPT)
        assert guest.run("sha256sum < /tmp/paste").split()[0] == hashlib.sha256(text.encode()).hexdigest()
    word = "".join(letters.choices(string.ascii_letters, k=700))
    assert guest.run(f"echo {word} | wc -c") == "701\n"


def uptime(guest):
    """Seconds since the guest's start, as it says."""
    return float(guest.run("cat /proc/uptime").split()[0])


@pytest.fixture(scope="module", name="restarted")
def restart_every_guest(session):
    """The guests after a reboot: uptimes before and after by configuration."""
    guests = session[0]

    def restart(guest):
        guest.run("echo stale > /stale; sleep 1")
        before = uptime(guest)
        guest.type("reboot\r")
        guest.see("Restarting system")
        guest.boot()
        return before, uptime(guest)

    return dict(zip(guests, at_once(restart, guests.values())))


@every
def test_reboot(session, restarted, config):
    """A reboot starts the guest again, as new."""
    guest = session[0][config]
    before, after = restarted[config]
    assert after < before
    assert guest.run("ls /stale; echo $?").endswith("\n1\n")
    assert "Linux husk" in guest.run("uname -a")
    assert without_trouble(guest)


@every
def test_power_off(guest, config):
    """A power-off ends the run with status 0 and gives the terminal back as it was."""
    del config
    text = guest.power_off()
    assert "reboot: System halted" in text or "Power down" in text
    assert "husk: guest powered off\r" in text
    assert guest.status == 0
    assert guest.restored
