# SPDX-License-Identifier: BSD-2-Clause
"""
The part `smp` of `make bench`: what two vCPUs bring, and what they cost a guest with one.

Four sides with the same initial RAM disk: QEMU's loongson3-virt with two CPUs and a thread for each, husk's octeon
with two vCPUs, with SMP and one vCPU, and without SMP. Every command is a fixed amount of work. The time is taken by
the host's clock, because that of Linux on loongson3-virt is off by a fifth.
"""

import statistics
import subprocess
import time
from dataclasses import dataclass

import pexpect

import programs
from items import FULL, QUICK, Item, all_items
from plot import chart
from prompt import Guest
from report import Report, compare, environment, number
from sides import PATIENCE, QEMU, pin

ROUNDS = 3
LOONGSON_KERNEL = "linux-image-loongson-3"
#: sides with as many CPUs of the host
SIDES = {"qemu": 2, "husk": 2, "husk_one": 1, "husk_without": 1}
#: repetitions of the item of a job
REPETITIONS = {True: 1000, False: 4000}
#: times as fast two vCPUs are to be as one; times as fast as QEMU; part of the CPU time that SMP may cost one vCPU
SPEED_UP, VS_QEMU, COST = 1.85, 2, 1.05


@dataclass(frozen=True)
class Work:
    """A line for the guest's shell, and how often `mark` is in the output if all went well."""

    name: str
    line: str
    mark: str
    marks: int

    def right(self, output):
        """Whether the output is that of work that was done."""
        return sum(line.strip().startswith(self.mark) for line in output.splitlines()) == self.marks


def works(bench, quick):
    """All that is measured; `bench` is the benchmark program, to ask."""
    job = f"bench -r {REPETITIONS[quick]} -n sieve"
    hackbench = next(item for item in all_items(bench, QUICK if quick else FULL) if item.name == "hackbench")
    words = [f"/{programs.PATHS['hackbench']}", *hackbench.command[1:]]
    return [Work("one-job", job, "sieve right", 1), Work("two-jobs", f"{job} & {job} & wait", "sieve right", 2),
            Work("hackbench", " ".join(words), "Time: ", 1)]  # fmt: skip


class Machines:
    """Files and command lines."""

    def __init__(self, args, builder, bench):
        self.out = args.out / "smp"
        self.out.mkdir(exist_ok=True)
        folder, self.packages = programs.fetch(args.cache, "mips64el", args.out / "debian")
        self.initrd = programs.initrd(args.cache, self.out, folder, bench / "mips64el/bench")
        archive = programs.debian.Archive(args.cache, "bookworm", "mips64el", str(self.out / "packages.json"))
        pin_, _, kernel = archive.file(LOONGSON_KERNEL, "boot/vmlinuz-*")
        (self.out / "kernel").write_bytes(kernel)
        archive.save_pins()
        self.packages[pin_["package"]] = pin_["version"]
        plain = builder.image("smp-plain", "linux_octeon", "dbt")
        payload = ("CONFIG_IMAGE_CUSTOM=y", f'CONFIG_CUSTOM_KERNEL="{plain}/payload/kernel"', f'CONFIG_CUSTOM_INITRD="{self.initrd}"')
        images = {"husk": ("linux_octeon_smp", "CONFIG_VCPUS=2"), "husk_one": ("linux_octeon_smp", "CONFIG_VCPUS=1"),
                  "husk_without": ("linux_octeon",)}  # fmt: skip
        self.argv = {"qemu": self._qemu()}
        for side, (base, *lines) in images.items():
            self.argv[side] = [builder.image(f"smp-{side.replace('_', '-')}", base, "dbt", *payload, *lines) / "husk"]

    def _qemu(self):
        return [QEMU, "-M", "loongson3-virt", "-smp", "2", "-m", "1G", "-accel", "tcg,thread=multi",
                "-kernel", self.out / "kernel", "-initrd", self.initrd, "-append", "console=ttyS0 nokaslr",
                "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console", "-display", "none",
                "-vga", "none", "-monitor", "none", "-net", "none"]  # fmt: skip


class Measurement:
    """{side: {name: [seconds]}}: by the clock, and of the emulator's CPU time; CPUs that each guest had."""

    def __init__(self, names):
        self.wall, self.cpu = ({side: {name: [] for name in names} for side in SIDES} for _ in range(2))
        self.cpus = {}
        self.host = []
        self.wrong = []

    def add(self, side, name, cost):
        """Notes what something cost."""
        self.wall[side][name].append(cost.wall)
        self.cpu[side][name].append(cost.cpu)

    def median(self, side, name, cpu=False):
        """Median of the seconds, or None."""
        values = (self.cpu if cpu else self.wall)[side][name]
        return statistics.median(values) if values else None

    def ratio(self, over, under, name, cpu=False):
        """How many times as long something took on the side `over` as on the side `under`, or None."""
        times = [self.median(side, name, cpu) for side in (over, under)]
        return times[0] / times[1] if all(times) else None

    def speed_up_unloaded(self):
        """Speed-up of two jobs that always have a CPU each, by what they cost in CPU time on one and two vCPUs."""
        ratio = self.ratio("husk_one", "husk", "two-jobs", True)
        return ratio and SIDES["husk"] * ratio

    def goals(self):
        """Ratios with their goals."""
        yield goal("two jobs: 1 vCPU / 2 vCPUs", self.ratio("husk_one", "husk", "two-jobs"), SPEED_UP, True)
        yield goal("two jobs: the same by CPU time", self.speed_up_unloaded(), SPEED_UP, True)
        yield goal("hackbench: QEMU / 2 vCPUs", self.ratio("qemu", "husk", "hackbench"), VS_QEMU, True)
        for name in ("boot", "one-job", "hackbench"):
            yield goal(f"{name}: CPU time with SMP / without", self.ratio("husk_one", "husk_without", name, True), COST, False)


def goal(name, value, bar, at_least):
    """A ratio, its goal, and whether it reaches that; None if it is not known."""
    met = None if value is None else value >= bar if at_least else value <= bar
    return {"name": name, "value": value, "goal": bar, "at_least": at_least, "met": met}


def host_speed_up(bench, quick):
    """How many times as fast two CPUs of the host are as one, with two jobs without any guest."""

    def seconds(count):
        start = time.monotonic()
        command = [*pin(count), bench, "-r", str(REPETITIONS[quick]), "-n", "sieve"]
        jobs = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
        if any([job.wait() for job in jobs]):  # all are waited for
            raise RuntimeError(f"{bench} fails on the host")
        return time.monotonic() - start

    return seconds(1) / seconds(2)


def _run_side(measurement, side, argv, chosen):
    """Starts a guest and has it do everything, one after the other."""
    try:
        with Guest([*pin(SIDES[side]), *argv], False) as guest:
            guest.child.timeout = PATIENCE
            measurement.add(side, "boot", guest.boot)
            measurement.cpus[side] = int(guest.run("nproc")[1].split()[-1])
            for work in chosen:
                cost, output = guest.run(work.line)
                if work.right(output):
                    measurement.add(side, work.name, cost)
                else:
                    measurement.wrong.append(f"{side}: {work.name}")
                    print(f"bench: {side}: no right result of {work.name}:\n{output.strip()}", flush=True)
    except (pexpect.TIMEOUT, pexpect.EOF) as error:
        measurement.wrong.append(f"{side}: the guest does not answer")
        print(f"bench: {side}: {error}", flush=True)


def _print(result):
    around = result["environment"]
    print(f"\n{around['cpu']}, {around['cpus']} CPUs, load {around['load'][0]}; {around['qemu']}, machine loongson3-virt")
    print(f"CPUs that Linux found: {', '.join(f'{side} {count}' for side, count in result['cpus'].items())}\n")
    rows = [(row["name"], row["unit"], *(number(row[key]) for key in ("qemu", "husk", "vs_qemu", *list(SIDES)[2:]))) for row in result["items"]]
    for name, unit, *values in (("", "", "QEMU", "husk", "/ QEMU", "1 vCPU", "without SMP"), *rows):
        print(f"  {name:12} {unit:4}" + "".join(f"{value:>14}" for value in values))
    for row in result["goals"]:
        found = "-" if row["value"] is None else f"{row['value']:.3f}"
        print(f"  {row['name']}: {found}, goal at {'least' if row['at_least'] else 'most'} {row['goal']}{'' if row['met'] else ': missed'}")
    host = result["host_speed_up"]
    print(f"  two jobs, natively: 1 CPU / 2 CPUs: {number(host)}")
    if host and host < SPEED_UP:
        print("bench: the host itself does not get faster with two CPUs, so speed-ups are no good; only that by CPU time is")


def report(measurement, names):
    """What is written: rows of the table, and what follows from them."""
    rows = []
    for name in names:
        times = {side: measurement.median(side, name) for side in SIDES}
        rows.append(compare(Item(name, "s", False, (), ""), None, times["qemu"], times["husk"])
                    | {side: times[side] for side in list(SIDES)[2:]})  # fmt: skip
    host = statistics.median(measurement.host) if measurement.host else None
    return {"items": rows, "goals": list(measurement.goals()), "cpus": measurement.cpus, "host_speed_up": host,
            "wrong": measurement.wrong, "runs": measurement.wall, "runs_cpu": measurement.cpu}  # fmt: skip


def run(args, builder):
    """Measures, if it is chosen: returns "right", "wrong" or None."""
    if args.only not in ("", "smp"):
        return None
    bench = builder.programs()
    chosen, machines = works(bench / "native/bench", args.quick), Machines(args, builder, bench)
    names = ["boot", *(work.name for work in chosen)]
    measurement = Measurement(names)
    around = environment(QEMU) | {"guest_packages": machines.packages}
    count = args.count or ROUNDS
    for number_ in range(count):
        measurement.host.append(host_speed_up(bench / "native/bench", args.quick))
        for side, argv in machines.argv.items():
            print(f"  smp, round {number_ + 1} of {count}: {side}", flush=True)
            _run_side(measurement, side, argv, chosen)
    result = Report(args.out, around).write("smp", report(measurement, names) | {"quick": args.quick})
    _print(result)
    title = "Times as fast as QEMU's loongson3-virt, two CPUs"
    (args.out / "smp.svg").write_text(chart(result["items"], None, title), encoding="utf-8")
    print(f"\nWritten: {args.out}/smp.json, smp.svg")
    return "wrong" if measurement.wrong else "right"
