# SPDX-License-Identifier: BSD-2-Clause
"""Random instruction sequences: husk's engine against QEMU's user mode emulation.

Every case is an engine, a variant of the CPU, a build of the test (with sanitizers or without) and a seed. The cases of an
engine execute N instructions together (1,000,000 unless told otherwise) or a few more. SEED=... repeats the cases of that seed.
The translator is also tested with each of its parts left out, and all of them, and with the smallest code cache.
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
#: parts of the translator: a symbol that is on by default is a line here
PARTS = [
    "ACCESS_GROUPS",
    "BLOCK_LINKING",
    "INDIRECT_CACHE",
    "RETURN_STACK",
    "SUPERBLOCKS",
]
#: values that stress it
VALUES = [
    "CODE_CACHE_MB=1",
    "SOFT_TLB_BITS=6",
    "SUPERBLOCKS_HOT_AFTER=1",
]
#: configurations of the translator beside the default: name -> variables of build.mk
CONFIGURATIONS = {f"dbt-without-{part}": {"OFF": part} for part in PARTS}
CONFIGURATIONS |= {"dbt-bare": {"OFF": " ".join(PARTS)}}
CONFIGURATIONS |= {f"dbt-{value.replace('=', '-')}": {"SET": value} for value in VALUES}


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
    for engine in ENGINES:
        build(OUT / engine, ENGINE=engine)
    return OUT


def build(out, **values):
    """Builds the programs of an engine, with variables of build.mk."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    values |= {name: value for name, value in variables().items() if name == "CC"} | {"OUT": out}
    command = [os.environ.get("HUSK_MAKE", "make"), "-f", "tests/differential/build.mk", f"-j{os.cpu_count()}",
               *(f"{name}={value}" for name, value in values.items())]
    done = subprocess.run(command, cwd=TREE, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=env, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}", pytrace=False)


def run(program, variant, seed, count):
    """Runs a test program: about `count` instructions on a variant of the CPU."""
    command = [program, "--variant", variant, "--seed", hex(seed), "--instructions", str(count)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})
    print(done.stdout)
    if done.returncode != 0:
        pytest.fail(" ".join(map(str, command)) + "\n" + done.stdout, pytrace=False)


@pytest.mark.parametrize("seed", seeds(), ids=hex)
@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("engine", ENGINES)
def test_same_states(programs, engine, variant, build, seed):
    """Whole states after every block are those of the reference."""
    run(programs / engine / f"differential-{engine}-{build}", variant, seed,
        -(-INSTRUCTIONS // (len(VARIANTS) * len(BUILDS) * SEEDS)))


@pytest.mark.skipif("dbt" not in ENGINES, reason="ENGINE= leaves the translator out")
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_same_states_without(programs, name):
    """The same for the translator in other configurations; all its CPUs, a tenth of the instructions."""
    values = CONFIGURATIONS[name]
    # What is left out is so when linking; values change the objects.
    out = programs / (name if "SET" in values else "dbt")
    build(out, ENGINE="dbt", NAME=name, BUILDS="plain", **values)
    for variant in VARIANTS:
        run(out / f"differential-{name}-plain", variant, seeds()[0], -(-INSTRUCTIONS // (10 * len(VARIANTS))))
