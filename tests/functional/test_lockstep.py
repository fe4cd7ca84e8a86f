# SPDX-License-Identifier: BSD-2-Clause
"""Two engines side by side: they do the same, and what finds differences finds those that are put in."""

import re
import shutil
import subprocess
import sys

import pytest

from conftest import OUT, TREE, make

sys.path.append(str(TREE / "tests/lockstep"))
import lockstep  # noqa: E402  pylint: disable=wrong-import-position
from lockstep_run import Image  # noqa: E402  pylint: disable=wrong-import-position

#: well into the boot: 200 M is what we promise
INSTRUCTIONS = 250_000_000
#: a wrong translator: XOR with a register of its own becomes NOR
FAULT_C = """
#include <stdint.h>
struct mips_front;
void __real_mips_emit_insn(struct mips_front *f, uint32_t word);
void __wrap_mips_emit_insn(struct mips_front *f, uint32_t word);
void __wrap_mips_emit_insn(struct mips_front *f, uint32_t word)
{
	__real_mips_emit_insn(f, (word & 0xfc0007ff) == 0x26 ? word ^ 1 : word);
}
"""
FAULT_MK = """
features-y += translation-fault
objs-translation-fault := features/translation-fault/fault.o
link-flags += -Wl,--wrap=mips_emit_insn
"""


def pair(machine):
    """Images of a machine with both engines."""
    return [lockstep.image(machine, engine) for engine in lockstep.ENGINES]


@pytest.mark.parametrize("machine", lockstep.MACHINES)
def test_engines_agree(machine):
    """The state is the same over the boot of a kernel."""
    # With several vCPUs they are those of the first one.
    report = lockstep.compare(pair(machine), INSTRUCTIONS // (4 if "smp" in machine else 1))
    assert report is None, report


@pytest.mark.parametrize("engine", [0, 1], ids=lockstep.ENGINES)
def test_flipped_bit_is_found(engine):
    """A bit that flips in a register of one of them is found at its instruction, in that register."""
    images = pair("virt")
    images[engine].options = ("lockstep-fault=12345678:29",)
    report = lockstep.compare(images, 20_000_000)
    # A branch and its delay slot are one step: the flip is in it if the slot is the instruction.
    assert re.search(r"differ first behind instruction 12,345,67[78]:", report), report
    marked = re.findall(r"^\* (\w+) +(\w+) (\w+) (\w+)$", report, re.M)
    assert [words[0] for words in marked] == ["gp"]
    assert int(marked[0][2], 16) ^ int(marked[0][3], 16) == 1
    assert "guest code:" in report and "host code:" in report


def test_wrong_translation_is_found():
    """A translator that translates an instruction wrongly: the first one that is executed and matters is named."""
    tree, out = OUT / "wrong-translator", OUT / "wrong-translator-build"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(TREE, tree, ignore=shutil.ignore_patterns(".git", "build*", "__pycache__"))
    folder = tree / "features/translation-fault"
    folder.mkdir()
    (folder / "fault.c").write_text(FAULT_C)
    (folder / "feature.mk").write_text(FAULT_MK)
    good, _ = pair("virt")
    out.mkdir(exist_ok=True)
    shutil.copy(good.path.parent.parent / "lockstep-virt-dbt/.config", out / ".config")
    make(out, "all", tree=tree)
    report = lockstep.compare([good, Image("wrong", out / "husk")], 20_000_000)
    named = report.splitlines()[2]
    target = re.search(r"\txor\t(\w+),", named)
    assert target, report
    assert re.search(rf"^\* {target[1]} ", report, re.M), report


def test_wrong_options_are_refused():
    """Options that make no sense end the run."""
    image = pair("virt")[1].path
    for option in ("lockstep=x", "lockstep-at=1:2", "lockstep-at=5:1:4", "lockstep-fault=1", "lockstep-block="):
        done = subprocess.run([image, option], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and f"option '{option}' has a wrong value" in done.stderr
