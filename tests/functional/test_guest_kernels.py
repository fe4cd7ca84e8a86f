# SPDX-License-Identifier: BSD-2-Clause
"""Ways to run Debian's kernels that the defconfigs do not take: packed as distributed, and without an FPU."""

import pytest

from guest import Guest, make_run, variant

# Division, multiplication, addition, conversion both ways and comparison, and what printf does with it.
SERIES = 'BEGIN { for (i = 1; i < 300; i++) { s += 1 / (i * i); if (s > 1.5) t = t * 0.75 + int(s * i) / 7 }; printf "%.9f %.12f %.9f\\n", 3 / 7, s, t }'


@pytest.fixture(scope="module", name="expected")
def what_an_fpu_says(built):
    """Output of a program that calculates, on an image with an FPU."""
    with Guest(*make_run(built("linux_octeon"))) as guest:
        guest.boot()
        assert "fpu" in guest.run("grep Options /proc/cpuinfo").split()
        return guest.run(f"awk '{SERIES}'")


def test_kernel_that_unpacks_itself():
    """The distributed file starts too, and its kernel is the same."""
    out = variant("packed_virt", "linux_virt", IMAGE_UNPACK=False)
    assert (out / "husk").stat().st_size < 12 << 20
    with Guest(*make_run(out)) as guest:
        guest.boot()
        assert "mips64r2el" in guest.run("uname -r")
        guest.power_off()
        assert guest.status == 0


def test_kernel_emulates_the_fpu(expected):
    """Without an FPU the kernel emulates one, and programs get the same results."""
    assert expected.startswith("0.428571429 ")
    with Guest(*make_run(variant("nofpu_octeon", "linux_octeon", MIPS_FPU=False))) as guest:
        said = guest.boot()
        assert "mips-fpu" not in said
        assert "fpu" not in guest.run("grep Options /proc/cpuinfo").split()
        assert guest.run(f"awk '{SERIES}'") == expected
        guest.power_off()
        assert guest.status == 0
