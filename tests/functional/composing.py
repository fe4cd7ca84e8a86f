# SPDX-License-Identifier: BSD-2-Clause
"""Runs the image composer for the tests: with values of a configuration, and small kernels that it takes or refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
CACHE = os.environ.get("HUSK_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "husk")
sys.path.insert(0, str(TREE / "images"))
# pylint: disable=wrong-import-position
import elf  # noqa: E402
import layout  # noqa: E402

MIB = 1 << 20
BASE = {"RAM_MB": 256, "COUNTER_HZ": 100000000, "VCPUS": 1, "GUEST_CMDLINE": "console=ttyS0 nokaslr"}


def write_config(folder, values):
    """A .config with these values."""
    text = ""
    for name, value in {**BASE, **values}.items():
        if value is False:
            text += f"# CONFIG_{name} is not set\n"
        else:
            quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else None
            text += f"CONFIG_{name}={'y' if value is True else quoted or value}\n"
    (folder / ".config").write_text(text, encoding="utf-8")


def compose(folder, *arguments, cache=CACHE, env=None, **values):
    """Runs the composer with these values of the configuration; returns the finished process."""
    write_config(folder, values)
    command = ["/usr/bin/python3", str(TREE / "images/compose.py"), "--config", str(folder / ".config"),
               "--gen", str(folder), "--out", str(folder / "payload"), "--cache", str(cache), *arguments]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})})


def composed(folder, *arguments, **values):
    """Runs the composer, which must succeed; returns payload.json with the parts by kind."""
    done = compose(folder, *arguments, **values)
    assert done.returncode == 0, done.stderr
    summary = json.loads((folder / "payload/payload.json").read_text(encoding="utf-8"))
    return {part["kind"]: part for part in summary["parts"]}


def refused(folder, *arguments, **values):
    """Runs the composer, which must refuse with one line; returns that line."""
    done = compose(folder, *arguments, **values)
    assert done.returncode == 1, done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("images: "), done.stderr
    return lines[0]


def kernel(order="<", load=0xFFFFFFFF80100000, size=0x3000, memsz=0x200000):
    """Bytes of a small kernel file."""
    return elf.build(order, 0x80000001, load + 0x100, load, bytes(range(256)) * (size // 256), memsz)


def board(name="octeon"):
    """The description of a board."""
    return layout.Board(name, TREE / f"features/machine-{name}/board.json")
