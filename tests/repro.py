#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Build one configuration twice, in two folders as different as can be, and compare the bytes.

The second build has another path, user environment, time zone, umask, output
folder outside of the tree, a parallel make, and its own build of the C library.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
RESULTS = ("husk", "husk.debug", "husk.json", "husk.spdx.json")


def sources():
    """Files of the tree that are or could be committed; every file if this is not a git checkout."""
    done = subprocess.run(["git", "-C", TREE, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        names = done.stdout.decode().split("\0")
    else:
        names = [str(p.relative_to(TREE)) for p in TREE.rglob("*") if "build" not in p.relative_to(TREE).parts[:1]]
    return sorted(name for name in set(names) if name and (TREE / name).is_file())


def copy_tree(target):
    """A fresh copy of the sources at `target`."""
    shutil.rmtree(target, ignore_errors=True)
    for name in sources():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TREE / name, target / name)


def build(make, tree, arguments, env):
    """Builds image, manifest and SBOM."""
    clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    subprocess.run([make, "-C", tree, *arguments], env=clean | env, check=True, stdin=subprocess.DEVNULL)


def own_libc_cache(work, cache):
    """A cache for a second build of the C library that needs no second download."""
    own = work / "libc-cache"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    for tarball in Path(cache).glob("picolibc_*.tar.*"):
        shutil.copy2(tarball, own)
    return own


def digest(path):
    """SHA-256 of a file, or why there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="defconfig, without _defconfig")
    parser.add_argument("--make", default="make")
    parser.add_argument("--work", required=True, type=Path, help="folder to work in")
    parser.add_argument("variable", nargs="*", help="make variables, VAR=VALUE")
    args = parser.parse_args()

    work = args.work.resolve()
    first, second = work / "a", work / "b-with-a-longer-name" / "tree"
    cache = next((v.split("=", 1)[1] for v in args.variable if v.startswith("HUSK_CACHE=")), None)
    cache = cache or os.environ.get("HUSK_CACHE") or \
        os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "husk")
    goals = [f"{args.config}_defconfig", "all", "manifest", *args.variable]

    copy_tree(first)
    shutil.rmtree(second, ignore_errors=True)
    shutil.copytree(first, second)
    build(args.make, first, goals, {})
    os.umask(0o077)
    out = work / "c"
    shutil.rmtree(out, ignore_errors=True)
    build(args.make, second, ["-j2", f"O={out}", f"LIBC_CACHE={own_libc_cache(work, cache)}", *goals],
          {"TZ": "Pacific/Auckland", "USER": "somebody", "LOGNAME": "somebody", "HOSTNAME": "elsewhere",
           "LANG": "tr_TR.UTF-8"})

    failed = False
    for name in RESULTS:
        one, other = digest(first / "build" / name), digest(out / name)
        same = one == other and one != "missing"
        failed |= not same
        print(f"{name}: {one}" if same else f"{name} DIFFERS: {one} and {other}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
