#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make bench`: how fast guests are, beside QEMU, and how big husk is.

The guests of linux_virt and linux_octeon are started N times with each engine, and so is the kernel, initial RAM
disk and device tree of linux_virt on QEMU's malta machine, in turns: other load on the computer then hits all
alike. Every number is the median. The table goes to standard output, the same and every single run to JSON files
in the output folder, and a picture of it beside them.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from plot import chart
from prompt import Guest

TREE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests/functional"), str(TREE / "images")]
import malta  # noqa: E402  pylint: disable=wrong-import-position

QEMU = "qemu-system-mips64el"
BASES = ("linux_virt", "linux_octeon")
#: names of the engines in the tree, the reference first
ENGINES = sorted((path.name.removeprefix("engine-") for path in (TREE / "features").glob("engine-*")), key=lambda name: (name != "interp", name))
ROUNDS = 3
SLEEP_S = 3
TEXT_LIMIT_KIB = 192
SPEED_GOAL = 120
#: ends the name of what is measured by CPU time
CPU = ", CPU"
#: name of the workload -> what the guest's shell runs
WORK = {
    "shell loop": "i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done",
    "sha256 of 8 MB": "head -c 8000000 /dev/zero | sha256sum",
    "gzip of 4 MB": "cat /bin/busybox /bin/busybox | head -c 4000000 | gzip | wc -c",
    "awk, double": "awk 'BEGIN { for (i = 1; i < 100000; i++) s += 1 / i; print s }'",
    "fork and exec, 200": "for i in $(seq 200); do /bin/true; done",
    "64 MB to tmpfs": "dd if=/dev/zero of=/tmp/x bs=1M count=64 2>&1; rm /tmp/x",
}


class Make:
    """Runs make for one configuration each, in folders of their own."""

    def __init__(self, program, out, variables):
        self.program, self.out, self.variables = program, out, variables
        # A make in here is a make of its own, not a child of the one that started us.
        self.env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}

    def __call__(self, name, *goals):
        """Output of make in the folder `name`; ends the program if it fails."""
        done = subprocess.run([self.program, "-C", str(TREE), f"-j{os.cpu_count()}", f"O={self.out / name}", *self.variables, *goals],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.env, check=False)
        if done.returncode != 0:
            sys.exit(f"{done.stdout}bench: cannot build {name}")
        return done.stdout

    def build(self, base, engine):
        """Builds defconfig `base` with an engine; returns the name of the folder."""
        name = f"{base}-{engine}"
        folder = self.out / name
        folder.mkdir(parents=True, exist_ok=True)
        print(f"  build {name}", flush=True)
        text = (TREE / f"defconfigs/{base}_defconfig").read_text(encoding="utf-8")
        text += f'CONFIG_NAME="{name}"\nCONFIG_ENGINE_{engine.upper()}=y\n'
        (folder / ".config").write_text(text, encoding="utf-8")
        self(name, "olddefconfig")
        self(name, "all")
        return name


def measure(argv, counts):
    """One start of a guest: name of what it did -> Cost, and "clock error" -> per cent."""
    with Guest(argv, counts) as guest:
        result = {"boot to prompt": guest.boot}
        for name, command in WORK.items():
            result[name] = guest.run(command)[0]
        result["clock error"] = guest.clock_error(SLEEP_S)
    return result


def rounds(guests, count):
    """Measures each of `guests` (name -> argv) `count` times, in turns; name -> list of results."""
    results = {name: [] for name in guests}
    for number in range(count):
        for name, argv in guests.items():
            print(f"  round {number + 1} of {count}: {name}", flush=True)
            results[name].append(measure(argv, name != "qemu"))
    return results


# --- items


def item(name, unit, qemu, husk, goal=""):
    """One row; vs_qemu is how many times as fast as QEMU husk is, for units of time."""
    ratio = qemu / husk if unit == "s" and qemu and husk else None
    return {"name": name, "unit": unit, "qemu": qemu, "husk": husk, "vs_qemu": ratio, "goal": goal}


def median(runs, name, value):
    """Median over runs of value(cost), or None if there are none."""
    values = [value(run[name]) for run in runs]
    return statistics.median(values) if values else None


def guests_of(results):
    """Yields (name, its runs, the runs of QEMU if it has the same guest) of every guest in husk."""
    for name, runs in results.items():
        if name != "qemu":
            yield name, runs, results.get("qemu", []) if name.startswith("linux_virt") else []


def time_items(results, works):
    """Seconds and CPU seconds, beside QEMU's where the guest is the same."""
    for work in works:
        for name, runs, reference in guests_of(results):
            for suffix, value in (("", lambda c: c.wall), (CPU, lambda c: c.cpu)):
                yield item(f"{name}: {work}{suffix}", "s", median(reference, work, value), median(runs, work, value))


def speed_items(results):
    """Guest instructions per second, by the clock and by CPU time."""
    for work in ("boot to prompt", *WORK):
        for name, runs, _ in guests_of(results):
            goal = SPEED_GOAL if work == "shell loop" and name.endswith("-interp") else ""
            yield item(f"{name}: {work}", "M instr/s", None, median(runs, work, lambda c: c.million_per(c.wall)))
            yield item(f"{name}: {work}{CPU}", "M instr/s", None, median(runs, work, lambda c: c.million_per(c.cpu)), goal)


def clock_items(results):
    """How wrong the guest's clock is over a sleep."""
    for name, runs, reference in guests_of(results):
        yield item(f"{name}: error over {SLEEP_S} s", "%", median(reference, "clock error", abs), median(runs, "clock error", abs))


def size_items(make, names):
    """Sizes of images without payload, from the output of `make features` and `make size`."""
    for number, name in enumerate(names):
        for line in make(name, "features").splitlines():
            words = line.split()
            # The same parts in every image are shown once.
            if len(words) > 3 and words[1].isdigit() and words[2].isdigit() and (number == 0 or words[0].startswith("engine-")):
                yield item(f"{name}: {words[0]}", "KiB", None, int(words[1]) / 1024)
        line = next(line for line in make(name, "size").splitlines() if line.startswith("hypervisor"))
        yield item(f"{name}: whole", "KiB", None, int(line.split()[1]) / 1024, -TEXT_LIMIT_KIB if name.endswith("-interp") else "")


# --- output


def number(value):
    """A value for people."""
    return "-" if value is None else f"{value:.{0 if abs(value) >= 100 else 2}f}"


def verdict(row):
    """"120 or more: yes"; goals below 0 are limits."""
    goal = row["goal"]
    if goal == "":
        return ""
    if goal < 0:
        return f"at most {-goal}: {'yes' if row['husk'] <= -goal else 'NO'}"
    return f"at least {goal}: {'yes' if row['husk'] >= goal else 'NO'}"


def values(row):
    """The three numbers of a row."""
    return "".join(f"  {number(row[key]):>8}" for key in ("qemu", "husk", "vs_qemu"))


def print_table(title, rows):
    """A table for people: what a row is by CPU time stands beside it."""
    by_cpu = {row["name"]: row for row in rows if row["name"].endswith(CPU)}
    columns = ["qemu", "husk", "vs_qemu"] + (["cpu:qemu", "cpu:husk", "vs_qemu"] if by_cpu else [])
    print(f"\n{title}\n  {'':42}  {'unit':9}  " + "  ".join(f"{column:>8}" for column in columns))
    for row in rows:
        if row["name"] in by_cpu:
            continue
        beside = by_cpu.get(row["name"] + CPU)
        line = f"  {row['name']:42}  {row['unit']:9}{values(row)}" + (values(beside) if beside else "")
        print(f"{line}  {verdict(row) or (verdict(beside) if beside else '')}".rstrip())


def plain(results):
    """Results as JSON can hold them."""
    return {name: [{key: cost if isinstance(cost, float) else vars(cost) for key, cost in run.items()} for run in runs]
            for name, runs in results.items()}


def environment():
    """What the numbers depend on."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = {line.partition(":")[2].strip() for line in file if line.startswith("model name")}
    version = subprocess.run([QEMU, "--version"], text=True, stdout=subprocess.PIPE, check=True).stdout.splitlines()[0]
    return {"cpu": ", ".join(sorted(models)), "cpus": os.cpu_count(), "kernel": platform.release(), "qemu": version,
            "load": [round(load, 2) for load in os.getloadavg()]}


class Report:
    """Prints tables and writes one JSON file for each."""

    def __init__(self, folder, around):
        self.folder, self.around = folder, around

    def __call__(self, name, title, rows, **more):
        rows = list(rows)
        print_table(title, rows)
        content = {"title": title, "environment": self.around, "items": rows, **more}
        (self.folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return rows


def chosen_guests(args, make, out):
    """Builds what the guests need; name -> argv."""
    guests = {}
    for base in BASES:
        for engine in ENGINES:
            if not args.only or args.only in f"{base}-{engine}":
                name = make.build(base, engine)
                guests[name] = [str(out / name / "husk")]
    if not guests:
        sys.exit(f"bench: no guest has {args.only} in its name: {', '.join(f'{b}-{e}' for b in BASES for e in ENGINES)}")
    virt = [name for name in guests if name.startswith("linux_virt")]
    if virt:
        guests["qemu"] = malta.qemu_argv(out / virt[0] / "payload", out / "malta", qemu=QEMU)
    return guests


def bench(args):
    """Builds, measures, reports."""
    out = Path(args.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    make = Make(args.make, out, args.variable)
    guests = chosen_guests(args, make, out)
    images = [make.build("pc_virt", engine) for engine in ENGINES]
    around = environment()
    results = rounds(guests, args.count)
    print(f"\n{around['cpu']}, {around['cpus']} CPUs, load {around['load'][0]}; {around['qemu']}; medians of {args.count}")
    report = Report(out, around)
    boot = report("boot", "From the start of the process to the prompt", time_items(results, ["boot to prompt"]), runs=plain(results))
    work = report("work", "Work in the guest", time_items(results, WORK))
    report("speed", "Guest instructions per second, by the clock and by CPU time", speed_items(results))
    report("clock", "The guest's clock", clock_items(results))
    report("size", "Text and rodata, payload not counted", size_items(make, images))
    shown = [row for row in boot + work if not row["name"].endswith(CPU)]
    picture = chart("Seconds, shorter is better; QEMU's malta machine runs the guest of linux_virt", shown)
    (out / "bench.svg").write_text(picture, encoding="utf-8")
    print(f"\nvs_qemu: times as fast as QEMU. Written: {out}/*.json, {out}/bench.svg")


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder for builds and results")
    parser.add_argument("--make", default="make", help="the make to use")
    parser.add_argument("--variable", action="append", default=[], help="variable for every make, VAR=VALUE")
    parser.add_argument("--only", help="only guests whose name contains this")
    parser.add_argument("--count", type=int, default=ROUNDS, help="how often each guest is started")
    bench(parser.parse_args())


if __name__ == "__main__":
    main()
