#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make bench`: how fast guests are, beside QEMU, and how big husk is.

Guests of the configurations linux_virt and linux_octeon are started N times, and so is the kernel, initial RAM
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

from guest import Guest
from plot import chart

TREE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests/functional"), str(TREE / "images")]
import malta  # noqa: E402  pylint: disable=wrong-import-position

QEMU = "qemu-system-mips64el"
CONFIGS = ("linux_virt", "linux_octeon")
ROUNDS = 5
SLEEP_S = 3
TEXT_LIMIT_KIB = 192
SPEED_GOAL = 120
#: ends the name of what is measured by CPU time
CPU = ", CPU"
#: name of the workload -> what the guest's shell runs
WORK = {
    "shell loop": "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done",
    "sha256 of 4 MB": "head -c 4000000 /dev/zero | sha256sum",
    "gzip of busybox": "gzip -c /bin/busybox | wc -c",
    "awk, double": "awk 'BEGIN { for (i = 1; i < 40000; i++) s += 1 / i; print s }'",
    "fork and exec, 100": "for i in $(seq 100); do /bin/true; done",
    "32 MB to tmpfs": "dd if=/dev/zero of=/tmp/x bs=1M count=32 2>&1; rm /tmp/x",
}


class Make:
    """Runs make for one configuration each, in folders of their own."""

    def __init__(self, program, out, variables):
        self.program, self.out, self.variables = program, out, variables
        # A make in here is a make of its own, not a child of the one that started us.
        self.env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}

    def __call__(self, config, *goals):
        """Output of make; ends the program if it fails."""
        done = subprocess.run([self.program, "-C", str(TREE), f"-j{os.cpu_count()}", f"O={self.out / config}", *self.variables, *goals],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.env, check=False)
        if done.returncode != 0:
            sys.exit(f"{done.stdout}bench: cannot build {config}")
        return done.stdout

    def build(self, config):
        """Builds a configuration; returns its folder."""
        print(f"  build {config}", flush=True)
        self(config, f"{config}_defconfig", "all")
        return self.out / config


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
            results[name].append(measure(argv, name in CONFIGS))
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


def time_items(results, names):
    """Seconds and CPU seconds, beside QEMU's where the guest is the same."""
    for config in CONFIGS:
        reference = results["qemu"] if config == "linux_virt" else []
        for name in names:
            for suffix, value in (("", lambda c: c.wall), (CPU, lambda c: c.cpu)):
                yield item(f"{config}: {name}{suffix}", "s", median(reference, name, value), median(results[config], name, value))


def speed_items(results):
    """Guest instructions per second, by the clock and by CPU time."""
    for config in CONFIGS:
        for name in ("boot to prompt", *WORK):
            yield item(f"{config}: {name}", "M instr/s", None, median(results[config], name, lambda c: c.million_per(c.wall)))
            yield item(f"{config}: {name}{CPU}", "M instr/s", None, median(results[config], name, lambda c: c.million_per(c.cpu)),
                       SPEED_GOAL if name == "shell loop" else "")


def clock_items(results):
    """How wrong the guest's clock is over a sleep."""
    for config in CONFIGS:
        reference = results["qemu"] if config == "linux_virt" else []
        yield item(f"{config}: clock error over {SLEEP_S} s", "%", median(reference, "clock error", abs),
                   median(results[config], "clock error", abs))


def size_items(features, size):
    """Sizes from the output of `make features` and `make size`."""
    for line in features.splitlines():
        words = line.split()
        if len(words) > 3 and words[1].isdigit() and words[2].isdigit():
            yield item(f"pc_virt: {words[0]}", "KiB", None, int(words[1]) / 1024)
    for line in size.splitlines():
        if line.startswith("hypervisor"):
            yield item("pc_virt: whole", "KiB", None, int(line.split()[1]) / 1024, -TEXT_LIMIT_KIB)


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
    print(f"\n{title}\n  {'':34}  {'unit':9}  " + "  ".join(f"{column:>8}" for column in columns))
    for row in rows:
        if row["name"] in by_cpu:
            continue
        beside = by_cpu.get(row["name"] + CPU)
        line = f"  {row['name']:34}  {row['unit']:9}{values(row)}" + (values(beside) if beside else "")
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


def bench(args):
    """Builds, measures, reports."""
    out = Path(args.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    make = Make(args.make, out, args.variable)
    folders = {config: make.build(config) for config in (*CONFIGS, "pc_virt")}
    guests = {"linux_virt": [str(folders["linux_virt"] / "husk")],
              "qemu": malta.qemu_argv(folders["linux_virt"] / "payload", out / "malta", qemu=QEMU),
              "linux_octeon": [str(folders["linux_octeon"] / "husk")]}
    around = environment()
    results = rounds(guests, args.count)
    print(f"\n{around['cpu']}, {around['cpus']} CPUs, load {around['load'][0]}; {around['qemu']}; medians of {args.count}")
    report = Report(out, around)
    boot = report("boot", "From the start of the process to the prompt", time_items(results, ["boot to prompt"]), runs=plain(results))
    work = report("work", "Work in the guest", time_items(results, WORK))
    report("speed", "Guest instructions per second, by the clock and by CPU time", speed_items(results))
    report("clock", "The guest's clock", clock_items(results))
    report("size", "Text and rodata, payload not counted", size_items(make("pc_virt", "features"), make("pc_virt", "size")))
    shown = [row for row in boot + work if not row["name"].endswith(CPU)]
    (out / "bench.svg").write_text(chart("Seconds, shorter is better; QEMU's malta machine runs the guest of linux_virt", shown), encoding="utf-8")
    print(f"\nvs_qemu: times as fast as QEMU. Written: {out}/*.json, {out}/bench.svg")


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder for builds and results")
    parser.add_argument("--make", default="make", help="the make to use")
    parser.add_argument("--variable", action="append", default=[], help="variable for every make, VAR=VALUE")
    parser.add_argument("--count", type=int, default=ROUNDS, help="how often each guest is started")
    bench(parser.parse_args())


if __name__ == "__main__":
    main()
