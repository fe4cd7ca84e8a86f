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
import report  # noqa: E402,I001  pylint: disable=wrong-import-position
import io_bench  # noqa: E402  pylint: disable=wrong-import-position
import io_items  # noqa: E402  pylint: disable=wrong-import-position
import plot  # noqa: E402  pylint: disable=wrong-import-position
import smp_bench  # noqa: E402  pylint: disable=wrong-import-position
from prompt import Cost  # noqa: E402  pylint: disable=wrong-import-position


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


def test_values_of_devices_are_found():
    """Each item of disks and networks finds its value in what its program writes, and what was moved."""
    found = {item.name: item for item in io_items.items(True)}
    words = ["3", "fio-3.33", "v", "0", "0"] + ["0"] * 120
    words[5:8] = ["1000000", "500000", "488"]  # kB read, kB/s, requests/s
    line = "~ # " + "\r\n" + ";".join(words) + "\r\n"
    assert found["disk-sequential-read"].find(line) == pytest.approx((512, 1024))
    assert found["disk-random-read"].find(line) == (488, 250000)
    words[46:49], words[5:8] = words[5:8], ["0"] * 3
    assert found["disk-random-write"].find(line.replace(line.split("\r\n")[1], ";".join(words))) == (488, 250000)
    words[4] = "5"  # an error
    assert found["disk-random-write"].find(";".join(words)) is None
    text = ("[  5]   0.00-5.02   sec   280 MBytes   468 Mbits/sec    0             sender\r\n"
            "[  5]   0.00-5.06   sec   279 MBytes   462 Mbits/sec                  receiver\r\n")  # fmt: skip
    assert found["net-receive"].find(text) == pytest.approx((462, 279 * 8.388608))
    assert found["net-send"].find(text.replace("279 MBytes", "2.73 GBytes")) == pytest.approx((462, 2.73 * 8589.934592))
    text = "1000 packets transmitted, {} received, 0% packet loss, time 76ms\nrtt min/avg/max/mdev = 0.016/0.041/5.022/0.295 ms, ipg/ewma 0.151/0.019 ms\n"
    assert found["net-round-trip"].find(text.format(1000)) == pytest.approx((41, 1000))
    assert found["net-round-trip"].find(text.format(999)) is None
    assert found["net-send"].find("iperf3: error - unable to connect") is None


def test_rows_of_devices():
    """A row has medians, and ratios of both kinds; what was not measured has none."""
    rate, time = (next(item for item in io_items.items(True) if item.name == name) for name in ("net-send", "net-round-trip"))
    m = io_bench.Measurement([rate, time])
    text = "[  5]   0.00-5.06   sec   100 MBytes   {} Mbits/sec                  receiver"
    for speed, cpu in ((400, 1), (100, 2), (200, 4)):
        m.add("qemu", rate, cpu, text.format(speed))
        m.add("husk", rate, cpu / 4, text.format(speed * 3))
    row = m.row(rate)
    assert (row["qemu"], row["husk"], row["vs_qemu"]) == (200, 600, 3)
    assert row["vs_qemu_per_cpu"] == pytest.approx(4)
    m.add("qemu", time, 1, "nothing")
    assert m.wrong == ["qemu: net-round-trip"]
    assert m.row(time)["vs_qemu"] is None


def test_fixed_work(programs, tmp_path):
    """The benchmark program repeats an item as often as it is told."""
    assert output([programs / "native/bench", ["-r", "3", "-n", "sieve"]], tmp_path) == (0, "sieve right\n")


def test_work_is_right(programs):
    """Work for several vCPUs is right if each of its parts says so; the echo of the command does not count."""
    work = {work.name: work for work in smp_bench.works(programs / "native/bench", True)}
    echo = f"{work['two-jobs'].line}; echo end-$((1+1))\r\r\n"
    assert work["two-jobs"].right(f"{echo}sieve right\r\r\nsieve right\r\r\n")
    assert not work["two-jobs"].right(f"{echo}sieve right\r\r\nsieve WRONG: checksum 1, not 2\r\r\n")
    assert not work["one-job"].right(echo)
    assert work["hackbench"].right("Running in process mode\r\r\nTime: 0.302\r\r\n")
    assert not work["hackbench"].right("hackbench: fork: Cannot allocate memory\r\r\n")


def test_speed_ups_of_vcpus():
    """Ratios are of medians, over the side that they are told to be; goals are met or missed."""
    m = smp_bench.Measurement(["boot", "one-job", "two-jobs", "hackbench"])
    for seconds in (2, 1, 30):
        m.add("husk_one", "two-jobs", Cost(seconds * 2, seconds, None))
        m.add("husk", "two-jobs", Cost(seconds, seconds * 1.25, None))
        m.add("husk_one", "boot", Cost(9, seconds * 1.1, None))
        m.add("husk_without", "boot", Cost(1, seconds, None))
    result = smp_bench.report(m, ["two-jobs", "hackbench"])
    rows = {row["name"]: row for row in result["items"]}
    assert (rows["two-jobs"]["husk"], rows["two-jobs"]["husk_one"], rows["two-jobs"]["vs_qemu"]) == (2, 4, None)
    goals = {row["name"]: row for row in result["goals"]}
    assert (goals["two jobs: 1 vCPU / 2 vCPUs"]["value"], goals["two jobs: 1 vCPU / 2 vCPUs"]["met"]) == (2, True)
    assert goals["two jobs: the same by CPU time"]["value"] == pytest.approx(1.6)
    assert result["host_speed_up"] is None
    assert goals["boot: CPU time with SMP / without"]["value"] == pytest.approx(1.1)
    assert goals["boot: CPU time with SMP / without"]["met"] is False
    assert goals["hackbench: QEMU / 2 vCPUs"]["met"] is None


def test_chart_without_marks():
    """A picture of husk and QEMU alone explains nothing else."""
    item = items.Item("walk", "s", False, (), "")
    text = plot.chart([report.compare(item, None, 8, 2)], None, "title")
    words = [element.text for element in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    assert "4.00 x" in words and "native" not in words
