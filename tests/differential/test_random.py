# SPDX-License-Identifier: BSD-2-Clause
"""Random instruction sequences: husk's engine against QEMU's user mode emulation.

Every case is an engine, a variant of the CPU, a build of the test (with sanitizers or without) and a seed. The cases of an
engine execute N instructions together (1,000,000 unless told otherwise) or a few more. SEED=... repeats the cases of that seed.
"""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get("HUSK_OUT", TREE / "build/check")).resolve() / "differential"
ENGINES = os.environ.get("ENGINE", "interp dbt").split()
INSTRUCTIONS = int(os.environ.get("N") or 1_000_000)
VARIANTS = ["mips64r2-le", "mips64r2-be", "octeon-le", "octeon-be", "unaligned-le", "unaligned-be"]
BUILDS = ["plain", "sanitizer"]
SEEDS = 4  # for each variant and build


def variables():
    """What was given on make's command line."""
    return dict(word.split("=", 1) for word in os.environ.get("HUSK_VARIABLES", "").split() if "=" in word)


def seeds():
    """Seeds of the cases: from SEED= or a new one, in steps of one."""
    given = variables().get("SEED")
    first = int(given, 0) if given else random.randrange(1 << 40)
    return [first + n for n in range(SEEDS)]


@pytest.fixture(scope="session")
def programs():
    """The folder of the test programs, built."""
    for tool in ("qemu-mips64el", "qemu-mips64"):
        if shutil.which(tool) is None:
            pytest.fail(f"{tool} is missing: install the package qemu-user", pytrace=False)
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    for engine in ENGINES:
        command = [os.environ.get("HUSK_MAKE", "make"), "-f", "tests/differential/build.mk", f"-j{os.cpu_count()}",
                   f"OUT={OUT / engine}", f"ENGINE={engine}"]
        if "CC" in variables():
            command.append("CC=" + variables()["CC"])
        done = subprocess.run(command, cwd=TREE, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=env, check=False)
        if done.returncode != 0:
            pytest.fail(f"{' '.join(command)}\n{done.stdout}", pytrace=False)
    return OUT


@pytest.mark.parametrize("seed", seeds(), ids=hex)
@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("engine", ENGINES)
def test_same_states(programs, engine, variant, build, seed):
    """Whole states after every block are those of the reference."""
    count = -(-INSTRUCTIONS // (len(VARIANTS) * len(BUILDS) * SEEDS))
    command = [programs / engine / f"differential-{engine}-{build}", "--variant", variant, "--seed", hex(seed),
               "--instructions", str(count)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})
    print(done.stdout)
    if done.returncode != 0:
        pytest.fail(" ".join(map(str, command)) + "\n" + done.stdout, pytrace=False)
