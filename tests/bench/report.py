# SPDX-License-Identifier: BSD-2-Clause
"""Ratios, tables for people, JSON for programs."""

import json
import math
import os
import platform
import subprocess


def environment(qemu):
    """What the numbers depend on."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = {line.partition(":")[2].strip() for line in file if line.startswith("model name")}
    version = subprocess.run([qemu, "--version"], text=True, stdout=subprocess.PIPE, check=True).stdout.splitlines()[0]
    return {"cpu": ", ".join(sorted(models)), "cpus": os.cpu_count(), "kernel": platform.release(), "qemu": version,
            "load": [round(load, 2) for load in os.getloadavg()]}


def speed_ratio(value, other, higher_is_better):
    """How many times as fast as `other` a value is; None if one is not known."""
    if not value or not other:
        return None
    return value / other if higher_is_better else other / value


def compare(item, native, qemu, husk):
    """A row: values, and how many times as fast as QEMU and as the native program husk is."""
    return {"name": item.name, "unit": item.unit, "native": native, "qemu": qemu, "husk": husk,
            "vs_qemu": speed_ratio(husk, qemu, item.higher_is_better),
            "vs_native": speed_ratio(husk, native, item.higher_is_better),
            "higher_is_better": item.higher_is_better}  # fmt: skip


def geomean(values):
    """Geometric mean of those values that are known, or None."""
    known = [value for value in values if value]
    return math.exp(sum(map(math.log, known)) / len(known)) if known else None


class Report:
    """Writes one JSON file for each result."""

    def __init__(self, folder, around):
        self.folder, self.around = folder, around

    def write(self, name, content):
        """Writes NAME.json; returns its content."""
        content = {**content, "environment": self.around}
        (self.folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return content

    def comparison(self, name, rows, **more):
        """Writes rows of compare() and what follows from them; returns it."""
        ratios = [row["vs_qemu"] for row in rows if row["vs_qemu"]]
        return self.write(name, {"items": rows, "geomean_vs_qemu": geomean(ratios),
                                 "geomean_vs_native": geomean([row["vs_native"] for row in rows]),
                                 "min_vs_qemu": min(ratios, default=None), **more})  # fmt: skip


def number(value):
    """A value for people."""
    if value is None:
        return "-"
    return f"{value:.{0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2}f}"


COLUMNS = ("native", "QEMU", "husk", "/ QEMU", "/ native", "same TLB", "/ QEMU")


def _table(result, same_tlb):
    """Rows of words for people: a name, a unit and a value for each of COLUMNS."""
    for row, same in zip(result["items"], same_tlb["items"]):
        values = [row[key] for key in ("native", "qemu", "husk", "vs_qemu", "vs_native")] + [same["husk"], same["vs_qemu"]]
        yield row["name"], row["unit"], *map(number, values)
    means = result["geomean_vs_qemu"], result["geomean_vs_native"], None, same_tlb["geomean_vs_qemu"]
    least = result["min_vs_qemu"], None, None, same_tlb["min_vs_qemu"]
    for name, values in (("geometric mean", means), ("least", least)):
        yield name, "", "", "", "", *(number(value) if value else "" for value in values)


def print_comparison(result, same_tlb):
    """A table on standard output. `same_tlb` is the result with QEMU's TLB."""
    around = result["environment"]
    print(f"\n{around['cpu']}, {around['cpus']} CPUs, load {around['load'][0]}; {around['qemu']}")
    print("Ratios: how many times as fast husk is. same TLB: with as many TLB entries as QEMU, and no page walker.\n")
    for name, unit, *values in (("", "", *COLUMNS), *_table(result, same_tlb)):
        print(f"  {name:20} {unit:9}" + "".join(f"{value:>10}" for value in values))


def markdown(result, same_tlb):
    """The same table for a document."""
    lines = [["item", "unit", *COLUMNS], ["---", "---", *["---:"] * len(COLUMNS)], *_table(result, same_tlb)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
