#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make lockstep`: the same guest under two engines, until their states differ.

Both images count time by instructions, so that they do the same at the same instruction as long as both are right.
Each writes digests of registers, CP0, FPU, TLB and memory every so many instructions. Where they differ for the first
time, shorter runs find the first instruction behind which they do, and a report shows it, both states, and the block in
guest and host assembly.
"""

import argparse
import sys
import time
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests/functional"), str(TREE / "tests/lockstep")]

from lockstep_run import Image  # noqa: E402  pylint: disable=wrong-import-position
from lockstep_report import report  # noqa: E402  pylint: disable=wrong-import-position

ENGINES = ("interp", "dbt")
MACHINES = ("virt", "octeon", "octeon_smp")
#: distance of digests in the first run
STEP = 10_000_000
#: how many pieces a piece with the difference is cut into, until they are this small: then stops would cut blocks
PIECES, FINE = 16, 4096
#: instructions of the longest block
BLOCK = 256


def image(machine, engine, *options, **values):
    """The image of a machine with an engine, built."""
    from guest import variant  # pylint: disable=import-outside-toplevel

    # Several vCPUs do the same in each run only if they have their turns by instructions.
    turns = {"SMP_ONE_CPU": True} if machine.endswith("_smp") else {}
    values = turns | {f"ENGINE_{engine.upper()}": True, "TIMER_ICOUNT": True, "LOCKSTEP": True, "DIAGNOSE": False} | values
    return Image(engine, variant(f"lockstep-{machine}-{engine}", f"linux_{machine}", **values) / "husk", *options)


def first_pair(images, first, step, last, same=None):
    """The first records that differ, as (number of the stop, record, record), or None if all are the same."""
    with images[0].run(first, step, last) as left, images[1].run(first, step, last) as right:
        for number, at in enumerate(range(first, last + 1, step or last)):
            pair = left.record(), right.record()
            if pair[0].differing(pair[1]):
                return number, *pair
            if same:
                same(at)
    return None


def differs_at(images, at):
    """True if the states after `at` instructions differ, in runs that stop nowhere before."""
    return first_pair(images, at, 0, at) is not None


def narrow(images, same, differing):
    """Two numbers of instructions, one apart: behind the first the states are the same, behind the second they are not."""
    while differing - same > FINE:
        step = -(-(differing - same) // PIECES)
        found = first_pair(images, same + step, step, same + PIECES * step)
        if found is None:
            break  # the stops have disturbed what they were to find
        same, differing = same + found[0] * step, min(differing, same + (found[0] + 1) * step)
    # A stop shows a block's difference only if the block ends before it.
    while not differs_at(images, differing):
        differing += BLOCK
    while differing - same > 1:
        middle = (same + differing) // 2
        if differs_at(images, middle):
            differing = middle
        else:
            same = middle
    return same, differing


def progress(at):
    """Shows how far it is, on a terminal."""
    print(f"  {at // 1_000_000} M instructions", end="\r", flush=True)


def compare(images, last, step=STEP, say=print):
    """Runs two images side by side. Returns None if they are the same up to `last`, or a report of the first difference."""
    start = time.monotonic()
    found = first_pair(images, step, step, last, progress if sys.stdout.isatty() else None)
    if found is None:
        say(f"  the same after every {step:,} of {last // step * step:,} instructions ({time.monotonic() - start:.1f} s)")
        return None
    number, left, right = found
    say(f"  a difference in {', '.join(left.differing(right))} by instruction {left.instructions:,}: looking for the first one")
    return report(images, *narrow(images, number * step, (number + 1) * step))


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000_000, help="instructions")
    parser.add_argument("--only", default="", help="only machines with this in their name")
    parser.add_argument("--fault", metavar="N:REG", help="flip a bit in the second engine, to see this program work")
    args = parser.parse_args()
    failed = False
    for machine in [name for name in MACHINES if args.only in name]:
        print(f"{machine}: {' and '.join(ENGINES)}", flush=True)
        images = [image(machine, engine) for engine in ENGINES]
        if args.fault:
            images[1].options = (f"lockstep-fault={args.fault}",)
        text = compare(images, args.count, min(STEP, args.count))
        if text is not None:
            failed = True
            print(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
