#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Check the Kconfig tree: kconfig-frontends and kconfiglib read it alike.

For every defconfig and some random configurations, the .config that kconfig-conf
writes and the one that kconfiglib writes from the same input must be the same.
Every symbol and choice must have a help text, and neither reader may warn.
"""

import argparse
import os
import random
import subprocess
import sys
from pathlib import Path

import kconfiglib

TREE = Path(__file__).resolve().parent.parent
RANDOM = 5


def kconfig_conf(config, *arguments, seed=0):
    """Runs kconfig-conf on the tree; it writes `config`. Returns its complaints."""
    env = os.environ | {"KCONFIG_CONFIG": str(config), "KCONFIG_SEED": hex(seed)}
    done = subprocess.run(["kconfig-conf", *arguments, "Kconfig"], cwd=TREE, env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit(f"kconfig-conf {' '.join(arguments)}: {done.stdout}")
    return [line for line in done.stdout.splitlines() if "warning" in line or "error" in line]


def settings(path):
    """What a .config says, without its other comments."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("CONFIG_") or line.endswith(" is not set")]


def kconfiglib_writes(source, target):
    """Lets kconfiglib read `source` and write `target`. Returns its complaints."""
    kconf = kconfiglib.Kconfig("Kconfig", warn_to_stderr=False)
    kconf.load_config(str(source))
    kconf.write_config(str(target))
    return kconf.warnings


def differences(one, other):
    """Lines that only one of two .config files has, marked."""
    a, b = settings(one), settings(other)
    marked = [f"  only kconfig-frontends: {line}" for line in a if line not in b]
    marked += [f"  only kconfiglib: {line}" for line in b if line not in a]
    return marked or (["  the order of the symbols"] if a != b else [])


def compare(name, source, work, arguments, seed=0):
    """Compares both readers; `source` None compares what kconfiglib makes of kconfig-conf's result."""
    theirs, ours = work / f"{name}.frontends", work / f"{name}.kconfiglib"
    problems = kconfig_conf(theirs, *arguments, seed=seed)
    if source is None:
        # --randconfig also writes choice members that it made invisible; any later run drops them.
        problems += kconfig_conf(theirs, "--olddefconfig")
    problems += kconfiglib_writes(source or theirs, ours)
    problems += differences(theirs, ours)
    print(f"{name}: {'differs' if problems else 'same'}, {len(settings(theirs))} symbols")
    return [f"{name}: {problem}" for problem in problems]


def without_help(kconf):
    """Symbols and choices that nobody explains."""
    nodes = [node for node in kconf.node_iter() if isinstance(node.item, (kconfiglib.Symbol, kconfiglib.Choice))]
    return [f"{node.filename}:{node.linenr}: {node.item.name or 'choice'} has no help text"
            for node in nodes if not (node.help or "").strip()]


def unpurposed(path):
    """A defconfig's first line says what it is for."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    return [] if first.startswith("# ") and len(first) > 12 else [f"{path}: the first line must say its purpose"]


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, type=Path, help="folder to work in")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 1 << 30), help="first seed")
    args = parser.parse_args()
    work = args.out.resolve()
    work.mkdir(parents=True, exist_ok=True)
    os.chdir(TREE)

    problems = without_help(kconfiglib.Kconfig("Kconfig", warn_to_stderr=False))
    for path in sorted((TREE / "defconfigs").iterdir()):
        problems += unpurposed(path)
        problems += compare(path.name, path, work, [f"--defconfig={path}"])
    for seed in range(args.seed, args.seed + RANDOM):
        problems += compare(f"random-{seed}", None, work, ["--randconfig"], seed=seed)
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
