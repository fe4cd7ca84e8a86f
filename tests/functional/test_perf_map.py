# SPDX-License-Identifier: BSD-2-Clause
"""The guest's names for translated code: the files are what perf expects, and perf shows the names."""

import re
import struct
import subprocess
from pathlib import Path

import pytest

from guest import Guest, variant

#: functions that every boot of Debian's Octeon kernel executes: it checks signatures, and unpacks its initial RAM disk
EXECUTED = {"start_kernel", "mpihelp_submul_1", "inflate_fast"}


@pytest.fixture(scope="module", name="image")
def image_with_names():
    """An image that names its code."""
    return variant("perf_map", "linux_octeon", ENGINE_DBT=True, PERF_MAP=True) / "husk"


def files_of(pid):
    """What a process of that number may have left in /tmp."""
    return Path(f"/tmp/perf-{pid}.map"), Path(f"/tmp/jit-{pid}.dump")


def boot(*command):
    """Boots an image to the prompt and ends it; returns the number of the process."""
    with Guest(*command) as guest:
        guest.boot()
        guest.power_off()
        assert guest.status == 0
        return guest.child.pid


def units(perf_map):
    """(address, size, name) of each line."""
    matches = [re.fullmatch(r"([0-9a-f]+) ([0-9a-f]+) (\S+)", line) for line in perf_map.read_text().splitlines()]
    assert all(matches)
    return [(int(m[1], 16), int(m[2], 16), m[3]) for m in matches]


def code_loads(data):
    """The records of a jitdump, by perf's specification: (address, code, name, number, time)."""
    magic, version, size, machine, _, pid, start, flags = struct.unpack_from("<6I2Q", data)
    assert (magic, version, size, machine, flags) == (0x4A695444, 1, 40, 62, 0)
    at, time = size, start
    while at < len(data):
        kind, length, now, owner, _, vma, address, bytes_, number = struct.unpack_from("<IIQII4Q", data, at)
        name, code = data[at + 56 : at + length].split(b"\0", 1)
        assert kind == 0 and owner == pid and vma == address and len(code) == bytes_ and now >= time
        yield address, code, name.decode(), number, now
        at, time = at + length, now
    assert at == len(data)


def test_files(image):
    """Both files are well-formed, agree, and name functions of the guest's kernel."""
    perf_map, dump = files_of(boot(image, "jitdump"))
    try:
        lines, loads = units(perf_map), list(code_loads(dump.read_bytes()))
    finally:
        perf_map.unlink()
        dump.unlink()
    assert len(lines) > 10000
    assert [(address, len(code), name) for address, code, name, _, _ in loads] == lines
    assert len({number for *_, number, _ in loads}) == len(loads)
    assert all(0 < size < 1 << 16 for _, size, _ in lines)
    places = sorted(lines)
    assert all(a[0] + a[1] <= b[0] for a, b in zip(places, places[1:], strict=False)), "the cache was not flushed"
    assert EXECUTED <= {name.split("+")[0] for _, _, name in lines}
    # User programs have no names, but addresses.
    assert any(re.fullmatch(r"0x[0-9a-f]+", name) for _, _, name in lines)


def test_without_option(image):
    """Without the option there is a map, and no dump."""
    perf_map, dump = files_of(boot(image))
    assert not dump.exists()
    perf_map.unlink()


def perf(*words):
    """Output of perf."""
    done = subprocess.run(["perf", *map(str, words)], stdin=subprocess.DEVNULL, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_perf_report(image, tmp_path):
    """perf names the guest's functions where the samples hit: by the map, and by the dump."""
    try:
        perf("record", "-e", "cpu-clock", "-o", tmp_path / "try", "true")
    except (AssertionError, OSError) as error:
        pytest.skip(f"perf cannot record here: {error}")
    data, jitted = tmp_path / "perf.data", tmp_path / "perf.jit.data"
    boot("perf", "record", "-q", "-k", "mono", "-e", "cpu-clock", "-o", data, image, "jitdump")
    pid = int(re.search(r"\b(\d+)\b", perf("script", "-i", data, "--comm", "husk", "-F", "pid"))[1])
    try:
        assert re.search(r"\[JIT\] tid \d+ .* mpihelp_submul_1", perf("report", "-i", data, "--stdio", "--sort", "dso,symbol"))
        perf("inject", "--jit", "-i", data, "-o", jitted)
        assert re.search(r"jitted-\S+ .* mpihelp_submul_1", perf("report", "-i", jitted, "--stdio", "--sort", "dso,symbol"))
    finally:
        for path in [*files_of(pid), *Path("/tmp").glob(f"jitted-{pid}-*.so")]:
            path.unlink(missing_ok=True)
