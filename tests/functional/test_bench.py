# SPDX-License-Identifier: BSD-2-Clause
"""The programs of `make bench` compute what they should, and its reports say what was measured. No time is looked at."""

import math
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from conftest import OUT, TREE

sys.path.insert(0, str(TREE / "tests/bench"))
import items  # noqa: E402  pylint: disable=wrong-import-position
import plot  # noqa: E402  pylint: disable=wrong-import-position
import report  # noqa: E402  pylint: disable=wrong-import-position


@pytest.fixture(scope="session", name="programs")
def built_programs():
    """The folder with native/bench and mips64el/bench."""
    folder = OUT / "bench-program"
    subprocess.run(["make", "-f", "tests/bench/build.mk", f"OUT={folder}"], cwd=TREE, check=True)
    return folder


def output(command, tmp_path):
    """What a command of the benchmark program writes; files go to a folder of the test."""
    done = subprocess.run([*command[:-1], "-d", str(tmp_path), *command[-1]], text=True, stdout=subprocess.PIPE, check=False)
    return done.returncode, done.stdout


def names(programs):
    """Names of the program's own items."""
    return [item.name for item in items.own_items(programs / "native/bench", items.QUICK)]


def test_right_natively(programs, tmp_path):
    """All results are right on the build host."""
    status, text = output([programs / "native/bench", ["-c"]], tmp_path)
    assert text.splitlines() == [f"{name} right" for name in names(programs)]
    assert status == 0


def test_right_on_mips(programs, tmp_path):
    """And on MIPS64, by QEMU's user mode emulation, which cannot execute itself."""
    chosen = [name for name in names(programs) if name != "fork-exec"]
    status, text = output(["qemu-mips64el", programs / "mips64el/bench", ["-c", "-n", *chosen]], tmp_path)
    assert text.splitlines() == [f"{name} right" for name in chosen]
    assert status == 0


def test_wrong_is_seen(programs, tmp_path):
    """A program that computes something else is not called right."""
    data = bytearray((programs / "native/bench").read_bytes())
    primes = (17984).to_bytes(8, "little")  # the checksum of sieve
    at = data.index(primes)
    data[at : at + 8] = (17985).to_bytes(8, "little")
    wrong = tmp_path / "bench"
    wrong.write_bytes(data)
    wrong.chmod(0o755)
    assert output([wrong, ["-c", "-n", "sieve"]], tmp_path) == (1, "sieve WRONG: checksum 17984, not 17985\n")


def test_python_loop():
    """The loop of the item python3 has the result that it expects."""
    done = subprocess.run(["/usr/bin/python3", TREE / "tests/bench/program/loop.py", "0"], text=True, stdout=subprocess.PIPE, check=True)
    assert done.stdout.startswith("python3 ")


def test_values_are_found(programs):
    """Each item of our own finds its value in the line that the program writes."""
    item = next(item for item in items.own_items(programs / "native/bench", items.QUICK) if item.name == "sort")
    assert item.find("~ # bench -n sort\r\r\nsort 1.5e+03 us\r\n") == (1500, None)
    assert item.find("sort WRONG: checksum 1, not 2\r\n") == (None, None)


def test_ratios():
    """Above 1 is faster, whichever way the unit goes."""
    slow = items.Item("time", "us", False, (), "")
    fast = items.Item("rate", "MB/s", True, (), "")
    rows = [report.compare(slow, 1, 8, 2), report.compare(fast, 100, 10, 90), report.compare(slow, None, 3, 1)]
    assert [row["vs_qemu"] for row in rows] == [4, 9, 3]
    assert [row["vs_native"] for row in rows] == [0.5, 0.9, None]
    assert math.isclose(report.geomean(row["vs_qemu"] for row in rows), 108 ** (1 / 3))
    assert report.geomean([None]) is None


def test_table(tmp_path, capsys):
    """The table of a document has a line for each item, and the means."""
    item = items.Item("walk", "ns", False, (), "")
    result = report.Report(tmp_path, {"cpu": "c", "cpus": 1, "load": [0], "qemu": "q"}).comparison("x", [report.compare(item, 1, 8, 2)])
    lines = report.markdown(result, result).splitlines()
    assert lines[2] == "| walk | ns | 1.00 | 8.00 | 2.00 | 4.00 | 0.50 | 2.00 | 4.00 |"
    assert lines[3] == "| geometric mean |  |  |  |  | 4.00 | 0.50 |  | 4.00 |"
    report.print_comparison(result, result)
    assert "walk" in capsys.readouterr().out
    assert (tmp_path / "x.json").exists()


def test_chart_is_svg():
    """The picture is a document, with the names and ratios of all items, known or not."""
    item = items.Item("<walk>", "ns", False, (), "")
    rows = [report.compare(item, 1, 8, 2), report.compare(item, None, None, 3)]
    text = plot.chart(rows, rows, "title")
    words = [element.text for element in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    assert words.count("<walk>") == 2 and "4.00 x" in words and "-" in words
