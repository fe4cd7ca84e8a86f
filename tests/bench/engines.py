# SPDX-License-Identifier: BSD-2-Clause
"""The part `engines` of `make bench`: what each engine makes of a CPU, how right the guest's clock is, and sizes.

The guests of linux_virt and linux_octeon are started with each engine, in turns: other load on the computer then
hits all alike. Every number is the median.
"""

import statistics

from prompt import Guest
from report import Report, environment, number
from sides import QEMU, pin

BASES = ("linux_virt", "linux_octeon")
#: the engines for MIPS guests, the reference first
ENGINES = ("interp", "dbt")
ROUNDS = 3
SLEEP_S = 3
#: of an image with the interpreter
TEXT_LIMIT_KIB = 192
#: name of the workload -> what the guest's shell runs
WORK = {
    "shell loop": "i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done",
    "sha256 of 8 MB": "head -c 8000000 /dev/zero | sha256sum",
    "gzip of 4 MB": "cat /bin/busybox /bin/busybox | head -c 4000000 | gzip | wc -c",
    "awk, double": "awk 'BEGIN { for (i = 1; i < 100000; i++) s += 1 / i; print s }'",
    "fork and exec, 200": "for i in $(seq 200); do /bin/true; done",
}


def measure(argv):
    """One start of a guest: {(what it did, unit): value}."""
    with Guest([*pin(), *argv], True) as guest:
        costs = {"boot to the prompt": guest.boot} | {name: guest.run(command)[0] for name, command in WORK.items()}
        values = {(name, "CPU s"): cost.cpu for name, cost in costs.items()}
        values |= {(name, "M instr/s"): cost.instructions / cost.cpu / 1e6 for name, cost in costs.items()}
        return values | {(f"clock, error over {SLEEP_S} s", "%"): abs(guest.clock_error(SLEEP_S))}


def sizes(builder, engine):
    """Text and rodata in KiB of an image of pc_virt, payload not counted, from `make features` and `make size`."""
    folder = builder.image(f"pc_virt-{engine}", "pc_virt", engine)
    lines = [line.split() for line in builder.make(folder.name, "features").splitlines()]
    parts = {words[0]: int(words[1]) / 1024 for words in lines if len(words) > 3 and words[1].isdigit() and words[2].isdigit()}
    line = next(line for line in builder.make(folder.name, "size").splitlines() if line.startswith("hypervisor"))
    return {("size of the engine", "KiB"): parts[f"engine-{engine}"], ("size of the image", "KiB"): int(line.split()[1]) / 1024}


def _print(items, columns):
    print("\nEngines alone; instructions are guest instructions per second of CPU\n")
    print(f"  {'':26} {'':10}" + "".join(f"{column:>20}" for column in columns))
    for item in items:
        values = [item["values"].get(column) for column in columns]
        print(f"  {item['name']:26} {item['unit']:10}" + "".join(f"{number(value):>20}" for value in values))


def run(args, builder):
    """Measures the engines whose guests are chosen: returns "right" or "wrong" (too large), or None."""
    names = {f"{base}-{engine}": (base, engine) for base in BASES for engine in ENGINES}
    if args.only not in ("", "engines"):
        names = {name: value for name, value in names.items() if args.only in name}
    if not names:
        return None
    images = {name: builder.image(name, *value) / "husk" for name, value in names.items()}
    runs = {name: [] for name in names}
    for count in range(args.count or (1 if args.quick else ROUNDS)):
        for name, image in images.items():
            print(f"  engines, round {count + 1}: {name}", flush=True)
            runs[name].append(measure([image]))
    values = {name: {key: statistics.median(run[key] for run in results) for key in results[0]} for name, results in runs.items()}
    whole = {}
    for name, (base, engine) in names.items():
        if base == BASES[0]:
            whole[engine] = sizes(builder, engine)
            values[name] |= whole[engine]
    keys = dict.fromkeys(key for results in values.values() for key in results)
    items = [{"name": key[0], "unit": key[1], "values": {name: results.get(key) for name, results in values.items()}} for key in keys]
    Report(args.out, environment(QEMU)).write("engines", {"items": items})
    _print(items, names)
    print(f"\nWritten: {args.out}/engines.json")
    large = whole.get("interp", {}).get(("size of the image", "KiB"), 0)
    if large > TEXT_LIMIT_KIB:
        print(f"bench: the image with the interpreter has {large:.0f} KiB, more than {TEXT_LIMIT_KIB}")
        return "wrong"
    return "right"
