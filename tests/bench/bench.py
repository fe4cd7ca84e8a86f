#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make bench`: how fast guests are, beside QEMU and beside the same programs without any emulator.

Four parts. `mips` measures the items of items.py in husk (linux_virt, engine dbt), in QEMU's malta machine with the
same kernel, initial RAM disk and device tree, and natively: one item after the other, everywhere in turns, all pinned
to one CPU. `engines` measures husk's engines alone: guest instructions per second, the guest's clock, sizes.
`io` measures disks and networks of guests, in husk and in QEMU. `smp` measures guests with two vCPUs.
Results are JSON files, pictures are SVG.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import engines
import io_bench
import mips
import smp_bench
from build import Builder


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder for builds and results")
    parser.add_argument("--cache", required=True, help="folder that keeps downloads")
    parser.add_argument("--make", default="make", help="the make to use")
    parser.add_argument("--variable", action="append", default=[], help="variable for every make, VAR=VALUE")
    parser.add_argument("--only", default="", help="only this part, or what has this in its name")
    parser.add_argument("--count", type=int, help="how often everything is measured")
    parser.add_argument("--quick", action="store_true", help="shorter, and less exact")
    args = parser.parse_args()
    args.out = Path(args.out).resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    builder = Builder(args.make, args.out, args.variable)
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="husk-bench-", dir=memory) as folder:
        parts = {"mips": lambda: mips.run(args, builder, Path(folder)), "engines": lambda: engines.run(args, builder),
                 "io": lambda: io_bench.run(args, builder), "smp": lambda: smp_bench.run(args, builder)}  # fmt: skip
        chosen = [args.only] if args.only in parts else parts
        ran = [parts[name]() for name in chosen]
    if not any(ran):
        sys.exit(f"bench: nothing has {args.only} in its name")
    sys.exit("bench: some results are wrong" if "wrong" in ran else 0)


if __name__ == "__main__":
    main()
