# SPDX-License-Identifier: BSD-2-Clause
"""Images for the tests: built once, by the first test that asks."""

import fcntl
import os
import signal
import subprocess
from pathlib import Path

import pytest

from composing import kernel

# In the background of a script and under nohup these are ignored, and what the tests start would inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

TREE = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get("HUSK_OUT", TREE / "build/check")).resolve()


def make(out, *goals, check=True, tree=TREE):
    """Run make with output folder `out`; returns the finished process with its output as text."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    command = [os.environ.get("HUSK_MAKE", "make"), "-C", str(tree), f"-j{os.cpu_count()}", f"O={out}",
               *os.environ.get("HUSK_VARIABLES", "").split(), *goals]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, env=env, check=False)
    if check and done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}", pytrace=False)
    return done


def build(config, *goals):
    """Build defconfig `config` (goal `all` unless told otherwise); returns its build folder, with `husk` in it."""
    out = OUT / config
    out.mkdir(parents=True, exist_ok=True)
    with open(OUT / f"{config}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make(out, f"{config}_defconfig", *(goals or ("all",)))
    return out


@pytest.fixture(scope="session")
def built():
    """built("pc_octeon") builds that configuration, once per session, and returns its folder."""
    done = {}

    def get(config, *goals):
        key = (config, goals)
        if key not in done:
            done[key] = build(config, *goals)
        return done[key]

    return get


@pytest.fixture(name="custom")
def custom_fixture(tmp_path):
    """Values of a configuration of machine virt with the user's own kernel, a good one, at tmp_path/vmlinux."""
    (tmp_path / "vmlinux").write_bytes(kernel())
    return {"MACHINE_VIRT": True, "IMAGE_CUSTOM": True, "CUSTOM_KERNEL": str(tmp_path / "vmlinux")}
