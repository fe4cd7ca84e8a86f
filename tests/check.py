#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the parts of `make check` and count.

Every test program's own tests are counted, every other check is one. The last
line is `N passed, N failed, N skipped`; the status is 0 only if nothing failed.
Full logs are in OUT/check/log.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
DEFCONFIGS = sorted(p.name.removesuffix("_defconfig") for p in (TREE / "defconfigs").iterdir())
RANDCONFIGS = 10
FUZZ_RUNS = "50000"
SKIP = 77  # status of a check that cannot run here
TAIL = 40  # lines of a failed check's log that are shown


class Count:
    """Passed, failed, skipped."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = int(passed), int(failed), int(skipped)

    def add(self, other):
        """Adds another count to this one."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count_plain(status, _log):
    """A command is one test."""
    return Count(status == 0, status not in (0, SKIP), status == SKIP)


def count_cmocka(status, log):
    """Tests of a cmocka program; one failure more if it did not end as it should."""
    text = log.read_text(errors="replace")
    passed = sum(map(int, re.findall(r"^\[  PASSED  \] (\d+) test", text, re.M)))
    failed = sum(map(int, re.findall(r"^\[  FAILED  \] (\d+) test", text, re.M)))
    skipped = sum(map(int, re.findall(r"^\[  SKIPPED \] (\d+) test", text, re.M)))
    if (status != 0 and failed == 0) or passed + failed + skipped == 0:
        failed += 1
    return Count(passed, failed, skipped)


def count_pytest(status, log):
    """Tests of a pytest run, from its JUnit file."""
    report = log.with_suffix(".xml")
    if not report.exists():
        return Count(failed=1)
    total = Count()
    for suite in ET.parse(report).getroot().iter("testsuite"):
        tests, skipped = int(suite.get("tests")), int(suite.get("skipped"))
        failed = int(suite.get("failures")) + int(suite.get("errors"))
        total.add(Count(tests - failed - skipped, failed, skipped))
    if status != 0 and total.failed == 0:
        total.failed = 1
    return total


def failures_of_pytest(log):
    """What its JUnit file says of each test that failed: its name, and why, unless that was said of another one."""
    lines, told = [], set()
    report = log.with_suffix(".xml")
    for case in ET.parse(report).getroot().iter("testcase") if report.exists() else ():
        for problem in [*case.iterfind("failure"), *case.iterfind("error")]:
            why = problem.get("message", "")
            lines.append(f"{case.get('classname')}::{case.get('name')}" + (": as above" if why in told else ""))
            lines += [] if why in told else ["    " + line for line in why.splitlines()[-TAIL:]]
            told.add(why)
    return lines


class Runner:
    """Runs tasks one after another, tells what they did, and counts."""

    def __init__(self, args):
        self.args = args
        self.out = Path(args.out)
        self.work = self.out / "check"
        self.logs = self.work / "log"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.total = Count()
        self.failures = []
        self.jobs = os.cpu_count() or 1
        # A make in here is a make of its own, not a child of the one that started us.
        self.env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}

    def make(self, out, *goals):
        """Command line of a make with output folder `out`."""
        return [self.args.make, "-C", str(TREE), f"-j{self.jobs}", f"O={out}", *self.args.variable, *goals]

    def wanted(self, label):
        """True if T= does not exclude the check."""
        return not self.args.only or self.args.only in label

    def run(self, label, command, count=count_plain, env=None):
        """Runs a check that is a command; returns its log."""
        log = self.logs / (re.sub(r"[^\w.-]+", "-", label) + ".log")
        log.with_suffix(".xml").unlink(missing_ok=True)
        print(f"  ....  {label}", end="\r" if sys.stdout.isatty() else "\n", flush=True)
        start = time.monotonic()
        with open(log, "w", encoding="utf-8") as file:
            file.write("$ " + " ".join(map(str, command)) + "\n")
            file.flush()
            try:
                status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                        cwd=TREE, env=self.env | (env or {}), check=False).returncode
            except OSError as error:  # such as a test program that did not build
                file.write(f"{error}\n")
                status = 127
        self.report(label, count(status, log), log, time.monotonic() - start)
        return log

    def report(self, label, result, log, seconds=0.0):
        """Prints the outcome of a check and counts it."""
        self.total.add(result)
        word = "FAIL" if result.failed else "SKIP" if not result.passed else "PASS"
        many = result.passed + result.failed + result.skipped > 1
        print(f"  {word}  {label}{f': {result}' if many else ''} ({seconds:.0f} s)", flush=True)
        if word == "PASS":
            return
        lines = log.read_text(errors="replace").splitlines()
        if word == "SKIP":
            print("        " + (lines[-1] if lines else "no reason given"))
            return
        self.failures.append(f"{label}: {log}")
        lines = failures_of_pytest(log) or lines[-TAIL:]
        print("\n".join("        | " + line for line in lines), flush=True)

    # --- parts

    def unit(self):
        """cmocka programs."""
        self.run("unit: build", self.make(self.out, "-k", "unit-programs"))
        for source in sorted((TREE / "tests/unit").glob("test_*.c")):
            program = self.out / "tests" / source.stem
            if self.wanted(source.stem):
                self.run(f"unit: {source.stem}", [program], count_cmocka,
                         {"CMOCKA_MESSAGE_OUTPUT": "STDOUT", "ASAN_OPTIONS": "detect_leaks=0",
                          "UBSAN_OPTIONS": "print_stacktrace=1"})

    def lint(self):
        """Compilers, format, static analysis."""
        for goal in ("gcc", "clang", "format", "cppcheck", "headers", "files"):
            if self.wanted(goal):
                self.run(f"lint: {goal}", self.make(self.out, "lint-" + goal))
        for name in ("linux_octeon", "pc_virt"):
            if self.wanted("clang links"):
                self.run(f"lint: clang links {name}",
                         self.make(self.work / "clang", "CC=clang", "PAYLOAD=none", f"{name}_defconfig", "all"))

    def kconfig(self):
        """Both Kconfig readers agree."""
        self.run("kconfig: parity", ["/usr/bin/python3", "tests/kconfig_parity.py", "--out", self.work / "kconfig"])

    def core(self):
        """One digest of the core over all configurations."""
        digests = {}
        for name in DEFCONFIGS:
            out = self.work / "core" / name
            self.run(f"core: {name}", self.make(out, f"{name}_defconfig", "core-digest"))
            digest = out / "core/digest"
            digests[name] = digest.read_text().strip() if digest.exists() else "none"
        log = self.logs / "core-digest.log"
        log.write_text("\n".join(f"{digest} {name}" for name, digest in digests.items()) + "\n")
        same = len(set(digests.values())) == 1 and "none" not in digests.values()
        outside = self.core_dependencies()
        log_outside = self.logs / "core-dependencies.log"
        log_outside.write_text("\n".join(outside) + "\n")
        self.report("core: uses its own headers only", Count(not outside, bool(outside)), log_outside)
        self.report("core: digest " + " ".join(sorted(set(digests.values()))), Count(same, not same), log)

    def core_dependencies(self):
        """Files of the tree outside of core/ that a core object was made from."""
        outside = []
        for path in sorted((self.work / "core").glob("*/core/*.d")):
            words = path.read_text().replace("\\\n", " ").split()
            sources = {os.path.normpath(word) for word in words if not word.endswith(":")}
            outside += [f"{path.name}: {name}" for name in sorted(sources) if not name.startswith("core/")]
        return outside

    def randconfig(self):
        """Random configurations build and link, in one folder, one after the other."""
        seed = int(self.seed(), 0)
        for number in range(seed, seed + int(self.count(RANDCONFIGS))):
            # KCONFIG_SEED reproduces it: make KCONFIG_SEED=... randconfig all PAYLOAD=none
            self.run(f"randconfig: KCONFIG_SEED={number:#x}",
                     self.make(self.work / "randconfig", f"KCONFIG_SEED={number:#x}", "PAYLOAD=none", "randconfig", "all"))

    def count(self, usual):
        """How often a random check is repeated; in a run of everything, N= is for the differential tests."""
        return self.args.count if self.args.count and len(self.args.part) == 1 else usual

    def seed(self):
        """Seed of the random configurations: SEED= or a new one."""
        given = [v.removeprefix("SEED=") for v in self.args.variable if v.startswith("SEED=")]
        return given[0] if given else str(random.randrange(1, 1 << 31))

    def repro(self):
        """The same bytes from two folders."""
        for name in ("pc_octeon", "linux_virt", "pc_pvh"):
            if self.wanted(name):
                self.run(f"repro: {name}", ["/usr/bin/python3", "tests/repro.py", "--config", name, "--make", self.args.make,
                                            "--work", self.work / "repro" / name, *self.args.variable])

    def pytest(self, part, workers, tests=""):
        """A folder of pytest tests, or one file in it."""
        folder = TREE / "tests" / part / tests
        if not tests and not list(folder.glob("test_*.py")):
            return
        log = self.logs / f"{part}.xml"
        self.run(part, ["/usr/bin/python3", "-m", "pytest", "-v", "-p", "no:cacheprovider", f"--junitxml={log}",
                        *(["-n", str(workers)] if workers else []),
                        *(["-k", self.args.only] if self.args.only else []), folder], count_pytest,
                 {"HUSK_OUT": str(self.work), "HUSK_MAKE": self.args.make,
                  "HUSK_VARIABLES": " ".join(self.args.variable), "N": self.args.count or "",
                  "PYTHONDONTWRITEBYTECODE": "1"})

    def fuzz(self):
        """Every fuzzer for a while; N= gives more runs."""
        for source in sorted((TREE / "tests/fuzz").glob("fuzz_*.c")):
            name = source.stem.removeprefix("fuzz_")
            if self.wanted(source.stem):
                self.run(f"fuzz: {name}", ["sh", "tests/fuzz/run.sh", self.work / "fuzz", self.count(FUZZ_RUNS), name])

    def differential(self):
        """Engines against a reference emulator."""
        self.pytest("differential", 0)

    def functional(self):
        """Real images and the build itself."""
        self.pytest("functional", 0)

    def vmx(self):
        """Guests on Intel VMX: all with HUSK_LONG=1 in the environment."""
        self.pytest("functional", 0, "test_guest_vmx.py")


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="build folder")
    parser.add_argument("--make", default="make", help="the make to use")
    parser.add_argument("--variable", action="append", default=[], help="variable for every make, VAR=VALUE")
    parser.add_argument("--only", help="only checks whose name contains this")
    parser.add_argument("--count", help="how many random tests")
    parser.add_argument("part", nargs="+")
    args = parser.parse_args()

    runner = Runner(args)
    for part in args.part:
        getattr(runner, part)()
    for failure in runner.failures:
        print("failed: " + failure)
    print(runner.total)
    sys.exit(1 if runner.total.failed or not runner.total.passed else 0)


if __name__ == "__main__":
    main()
