# SPDX-License-Identifier: BSD-2-Clause
"""The part `mips` of `make bench`: the same programs natively, in QEMU and in husk."""

import statistics
import sys
from pathlib import Path

import programs
from items import FULL, QUICK, Item, all_items
from plot import chart
from prompt import Guest
from report import Report, compare, environment, markdown, print_comparison
from sides import QEMU, Machine, Native, pin

TREE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests/functional"))
import malta  # noqa: E402  pylint: disable=wrong-import-position

ROUNDS = 3
#: per cent: items take the time by the guest's clock
CLOCK_TOLERANCE = 2
#: part of a CPU that an emulator must have had: items take the real time, and none of them waits
CPU_SHARE = 0.8
#: CPU time to the prompt
BOOT = Item("boot", "s", False, (), "")
#: as many entries as the TLB of QEMU's CPU has, and no page walker, which it has not
SAME_TLB = ("CONFIG_MIPS_TLB_ENTRIES=64", "# CONFIG_MIPS_PAGE_WALKER is not set")


class Machines:
    """Images and command lines."""

    def __init__(self, args, builder, bench):
        """`bench`: folder of the benchmark program for native and mips64el."""
        out = args.out
        self.native, self.native_versions = programs.fetch(args.cache, "amd64", out / "debian")
        guest, self.guest_versions = programs.fetch(args.cache, "mips64el", out / "debian")
        initrd = programs.initrd(args.cache, out, guest, bench / "mips64el/bench")
        plain = builder.image("linux_virt-dbt", "linux_virt", "dbt")
        same_tlb = builder.image("linux_virt-dbt-same-tlb", "linux_virt", "dbt", *SAME_TLB)
        self.boot = {"qemu": self._qemu(plain, out / "malta"), "husk": [plain / "husk"], "husk_same_tlb": [same_tlb / "husk"]}
        payload = ("CONFIG_IMAGE_CUSTOM=y", f'CONFIG_CUSTOM_KERNEL="{plain}/payload/kernel"', f'CONFIG_CUSTOM_INITRD="{initrd}"')
        suite = builder.image("suite", "linux_virt", "dbt", *payload)
        suite_same_tlb = builder.image("suite-same-tlb", "linux_virt", "dbt", *payload, *SAME_TLB)
        self.suite = {"qemu": self._qemu(suite, out / "malta-suite"), "husk": [suite / "husk"],
                      "husk_same_tlb": [suite_same_tlb / "husk"]}

    @staticmethod
    def _qemu(image, work):
        return [*malta.qemu_argv(image / "payload", work, qemu=QEMU), "-accel", "tcg,thread=single"]


class Measurement:
    """Values of all rounds: {side: {item: [values]}}, and by how many per cent the clock of a guest was wrong."""

    def __init__(self, sides, items):
        self.values = {side: {item.name: [] for item in items} for side in sides}
        self.clock_errors = {side: [] for side in sides if side != "native"}
        self.cpu_shares = {}
        self.checksums = {}
        self.wrong = []

    def add(self, side, item, output):
        """Finds the value of an item in `output`."""
        value, checksum = item.find(output)
        expected = self.checksums.setdefault(item.name, checksum)
        if value is None or checksum != expected:
            self.wrong.append(f"{side}: {item.name}")
            print(f"bench: {side}: no right result of {item.name}:\n{output.strip()}", flush=True)
        else:
            self.values[side][item.name].append(value)

    def add_clock_error(self, side, error):
        """Notes by how much a clock was wrong."""
        if error is not None:
            self.clock_errors[side].append(round(error, 2))

    def median(self, side, item):
        """Median of an item, or None."""
        values = self.values[side].get(item.name)
        return statistics.median(values) if values else None


def _boot(machines, measurement):
    for side, argv in machines.boot.items():
        with Guest([*pin(), *argv], False) as guest:
            measurement.values[side][BOOT.name].append(guest.boot.cpu)


def _rounds(count, machines, sides, chosen, measurement):
    """Measures it all `count` times."""
    for number in range(count):
        if BOOT in chosen:
            print(f"  round {number + 1} of {count}: {BOOT.name}", flush=True)
            _boot(machines, measurement)
        try:
            for item in (item for item in chosen if item is not BOOT):
                print(f"  round {number + 1} of {count}: {item.name}", flush=True)
                for name, side in sides.items():
                    measurement.add(name, item, side.run(item.command))
            for name in measurement.clock_errors:
                measurement.add_clock_error(name, sides[name].clock_error())
        finally:
            for side in sides.values():
                side.stop()


def _rows(measurement, chosen, husk):
    """Rows of the table for one of the husks."""
    return [compare(item, *(measurement.median(side, item) for side in ("native", "qemu", husk))) for item in chosen]


def _warn(measurement):
    """Says why values may be no good."""
    for side, errors in measurement.clock_errors.items():
        if max(map(abs, errors), default=0) > CLOCK_TOLERANCE:
            print(f"bench: the values of {side} are wrong: its clock is off by {max(errors, key=abs):.1f} %")
    for side, share in measurement.cpu_shares.items():
        if share and share < CPU_SHARE:
            print(f"bench: {side} had {share:.0%} of a CPU, so its values are no good; end what else runs and try again")


def _write(args, measurement, chosen, whole, around):
    """Prints and writes tables and pictures."""
    report = Report(args.out, around)
    boot = {f"boot_cpu_s_{side}": measurement.median(side, BOOT) for side in ("husk", "qemu")}
    same = report.comparison("mips-same-tlb" if whole else "selected-same-tlb",
                             _rows(measurement, chosen, "husk_same_tlb"),
                             **boot | {"boot_cpu_s_husk": measurement.median("husk_same_tlb", BOOT)})  # fmt: skip
    more = {f"{key}_same_tlb": same[key] for key in ("geomean_vs_qemu", "min_vs_qemu")}
    name = "mips" if whole else "selected"
    result = report.comparison(name, _rows(measurement, chosen, "husk"), **boot, **more, quick=args.quick, wrong=measurement.wrong,
                               clock_errors=measurement.clock_errors, cpu_shares=measurement.cpu_shares, runs=measurement.values)  # fmt: skip
    print_comparison(result, same)
    _warn(measurement)
    (args.out / f"{name}.md").write_text(markdown(result, same), encoding="utf-8")
    title = "Times as fast as QEMU's malta machine, the same guest on both"
    (args.out / f"{name}.svg").write_text(chart(result["items"], same["items"], title), encoding="utf-8")
    print(f"\nTo run items by hand: {args.out}/suite/husk, and there `bench -l`, `bench sieve`.")
    print(f"Written: {args.out}/{name}.json, {name}-same-tlb.json, {name}.md, {name}.svg")


def run(args, builder, folder):
    """Measures, if something is chosen: returns "right", "wrong" or None. `folder` is for files, in memory."""
    effort = QUICK if args.quick else FULL
    bench = builder.programs()
    items = [BOOT, *all_items(bench / "native/bench", effort)]
    chosen = items if args.only in ("", "mips") else [item for item in items if args.only in item.name]
    if not chosen:
        return None
    machines = Machines(args, builder, bench)
    sides = {"native": Native(bench / "native/bench", machines.native, folder, effort.text_bytes)}
    sides |= {name: Machine(argv, effort.text_bytes) for name, argv in machines.suite.items()}
    measurement = Measurement(sides, chosen)
    around = environment(QEMU) | {"native_packages": machines.native_versions, "guest_packages": machines.guest_versions}
    _rounds(args.count or (1 if args.quick else ROUNDS), machines, sides, chosen, measurement)
    measurement.cpu_shares = {name: side.cpu_share() for name, side in sides.items() if name != "native"}
    _write(args, measurement, chosen, len(chosen) == len(items), around)
    for line in measurement.wrong:
        print(f"bench: wrong: {line}")
    return "wrong" if measurement.wrong else "right"
