# SPDX-License-Identifier: BSD-2-Clause
"""The thread sanitizer on the core, the feature smp and devices: no data race but where atomic operations say so."""

import re
import subprocess

import pytest

from conftest import OUT, TREE, make


@pytest.mark.parametrize("name", ("test_smp", "test_turns", "test_smp_devices"))
def test_no_data_race(name):
    """The unit tests of several vCPUs, built with it: it ends the program with a report at the first race."""
    make(OUT / "threads", str(OUT / "threads/tests/gen/config.mk"))
    text = (TREE / f"tests/unit/{name}.c").read_text(encoding="utf-8")
    sources = " ".join(re.findall(r"/\* sources: (.*?) \*/", text)).split()
    program = OUT / f"threads/{name}"
    subprocess.run(
        ["gcc", "-std=gnu11", "-O1", "-g", "-fno-pie", "-no-pie", "-fsanitize=thread", "-Wno-tsan", "-Icore/include", "-I.",
         f"-I{OUT}/threads/tests/gen", *sources, f"tests/unit/{name}.c", "-lcmocka", "-lpthread", "-o", program],
        cwd=TREE, check=True)  # fmt: skip
    done = subprocess.run([program], env={"TSAN_OPTIONS": "halt_on_error=1"}, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
