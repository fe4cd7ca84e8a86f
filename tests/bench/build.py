# SPDX-License-Identifier: BSD-2-Clause
"""Builds images and the benchmark program, each configuration in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]


class Builder:
    """Runs make; every failure ends the program with its output."""

    def __init__(self, program, out, variables):
        self.program, self.out, self.variables = program, Path(out), variables
        # A make in here is a make of its own, not a child of the one that started us.
        self.env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}

    def _run(self, what, *arguments):
        done = subprocess.run([self.program, "-C", str(TREE), f"-j{os.cpu_count()}", *arguments], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.env)
        if done.returncode != 0:
            sys.exit(f"{done.stdout}bench: cannot build {what}")
        return done.stdout

    def make(self, name, *goals):
        """Output of make in the folder `name`."""
        return self._run(name, f"O={self.out / name}", *self.variables, *goals)

    def image(self, name, base, engine, *lines):
        """Builds defconfig `base` with an engine and further lines of .config; returns its folder, with `husk` in it."""
        folder = self.out / name
        folder.mkdir(parents=True, exist_ok=True)
        print(f"  build {name}", flush=True)
        text = (TREE / f"defconfigs/{base}_defconfig").read_text(encoding="utf-8")
        wanted = [f'CONFIG_NAME="{name}"', f"CONFIG_ENGINE_{engine.upper()}=y", *lines]
        (folder / ".config").write_text("\n".join([text, *wanted, ""]), encoding="utf-8")
        self.make(name, "olddefconfig")
        refused = set(wanted) - set((folder / ".config").read_text(encoding="utf-8").splitlines())
        if refused:
            sys.exit(f"bench: {name}: the configuration did not take {', '.join(sorted(refused))}")
        self.make(name, "all")
        return folder

    def programs(self):
        """Builds the benchmark program; returns the folder with native/bench and mips64el/bench."""
        folder = self.out / "program"
        print("  build program", flush=True)
        self._run("program", "-f", "tests/bench/build.mk", f"OUT={folder}")
        return folder
