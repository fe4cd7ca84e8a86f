# SPDX-License-Identifier: BSD-2-Clause
"""Debian's programs in the guest, which check their own results, or whose results Python knows, too."""

import hashlib
import os
import re
import sys

import pytest

from conftest import OUT, TREE, build
from guest import Guest, variant
from test_guest_boot import TROUBLE

sys.path.append(str(TREE / "tests/bench"))
import programs  # noqa: E402  pylint: disable=wrong-import-position
sys.path.append(str(TREE / "images"))
import initramfs  # noqa: E402  pylint: disable=wrong-import-position

#: with all libraries that the programs are linked to
PACKAGES = (
    "libc6", "openssl", "libssl3", "xz-utils", "liblzma5", "gzip", "zlib1g",
    "stress-ng", "libapparmor1", "libbsd0", "libmd0", "libcrypt1", "libegl1", "libglvnd0", "libgbm1", "libdrm2",
    "libwayland-server0", "libexpat1", "libffi8", "libgles2", "libjpeg62-turbo", "libjudydebian1", "libkmod2", "libzstd1",
    "libsctp1", "libxxhash0", "rt-tests",
)  # fmt: skip
PROGRAMS = ("usr/bin/openssl", "usr/bin/xz", "bin/gzip", "usr/bin/stress-ng", "usr/bin/hackbench")
DIGESTS = ("md5", "sha1", "sha256", "sha512", "sha3-256", "blake2b512")
#: name -> options; as many operations as take a few seconds
STRESSORS = {
    "cpu": "--cpu 1 --cpu-method all --cpu-ops 90",
    "integers": "--hash 1 --hash-ops 20 --crypt 1 --crypt-ops 4 --bsearch 1 --bsearch-ops 4",
    "floating point": "--fp 1 --fp-ops 40 --matrix 1 --matrix-size 32 --matrix-ops 40 --nop 1 --nop-ops 100",
    "memory": "--memcpy 1 --memcpy-ops 4 --malloc 1 --malloc-ops 2000 --stack 1 --stack-ops 2 --atomic 1 --atomic-ops 20",
    "vm": "--vm 1 --vm-bytes 4M --vm-method all --vm-ops 400 --mmap 1 --mmap-bytes 4M --mmap-ops 4",
    "context": "--context 1 --context-ops 500 --switch 1 --switch-ops 2000 --fork 1 --fork-ops 50 --sigsegv 1 --sigsegv-ops 500",
    "strings": "--str 1 --str-method all --str-ops 40 --wcs 1 --wcs-method all --wcs-ops 20 --qsort 1 --qsort-size 10000 --qsort-ops 2",
}
#: on four vCPUs, one process for each: stressor -> operations of all of them together, as many as take a few seconds
SMP_STRESSORS = {"context": 2000, "futex": 20000, "pthread": 400, "mmap": 40, "fork": 400, "atomic": 200, "membarrier": 2000}
#: of hackbench: processes and threads, with pipes and with sockets
HACKBENCH = ("--pipe", "", "--pipe --threads", "--threads")


def data(last):
    """What `seq LAST` writes."""
    return "".join(f"{n}\n" for n in range(1, last + 1)).encode()


@pytest.fixture(scope="module", name="initrd")
def initrd_with_programs():
    """An initial RAM disk with the programs."""
    cache, out = os.environ.get("HUSK_CACHE", os.path.expanduser("~/.cache/husk")), OUT / "guest-programs"
    out.mkdir(parents=True, exist_ok=True)
    folder, _ = programs.fetch(cache, "mips64el", out, PACKAGES)
    archive = initramfs.build(programs.busybox(cache, out), more=programs.unpacked(folder, PROGRAMS))
    path = out / "initrd.gz"
    if not path.exists() or path.read_bytes() != archive:
        path.write_bytes(archive)
    return path


@pytest.fixture(scope="module", name="boot")
def boot_with_programs(initrd):
    """boot(base, name, **values): a Guest at its prompt, with the programs and a file /tmp/data of `seq 1 100000`."""
    guests = []

    def get(base, name, **values):
        kernel = build(base) / "payload/kernel"
        out = variant(name, base, IMAGE_CUSTOM=True, CUSTOM_KERNEL=str(kernel), CUSTOM_INITRD=str(initrd), **values)
        guest = Guest(out / "husk")
        guests.append(guest)
        guest.boot()
        must(guest, "seq 1 100000 >/tmp/data")
        return guest

    yield get
    for guest in guests:
        guest.child.close(force=True)


def must(guest, command):
    """Output of a command that has to succeed."""
    output = guest.run(command)
    assert guest.result == 0, f"{command}\n{output}"
    return output


@pytest.fixture(scope="module", params=["linux_virt", "linux_octeon"], name="guest")
def guest_with_programs(request, boot):
    """A guest of each board."""
    return boot(request.param, f"programs_{request.param}", ENGINE_DBT=True)


def test_digests(guest):
    """OpenSSL's digests are Python's."""
    for name in DIGESTS:
        expected = hashlib.new({"blake2b512": "blake2b", "sha3-256": "sha3_256"}.get(name, name), data(100000)).hexdigest()
        assert must(guest, f"openssl dgst -{name} /tmp/data").split()[-1] == expected


def test_ciphers_and_signatures(guest):
    """What is encrypted can be decrypted, and what is signed verified; not so after a change."""
    for cipher in ("aes-128-cbc", "aes-256-ctr", "chacha20", "camellia-256-cbc"):
        key = f"-{cipher} -K {'0123456789abcdef' * (2 if '128' in cipher else 4)} -iv {'42' * 16}"
        must(guest, f"openssl enc {key} -in /tmp/data -out /tmp/x && openssl enc -d {key} -in /tmp/x | cmp - /tmp/data")
    for key in ("RSA -pkeyopt rsa_keygen_bits:1024", "EC -pkeyopt ec_paramgen_curve:P-256"):
        must(guest, f"openssl genpkey -quiet -algorithm {key} -out /tmp/key && openssl pkey -in /tmp/key -pubout -out /tmp/public")
        must(guest, "openssl dgst -sha256 -sign /tmp/key -out /tmp/s /tmp/data")
        assert "OK" in must(guest, "openssl dgst -sha256 -verify /tmp/public -signature /tmp/s /tmp/data")
        guest.run("echo >>/tmp/data; openssl dgst -sha256 -verify /tmp/public -signature /tmp/s /tmp/data")
        assert guest.result == 1
        must(guest, "seq 1 100000 >/tmp/data")


def test_compression(guest):
    """Round trips of xz and gzip; both formats carry checksums."""
    must(guest, "/usr/bin/xz -5 -c /tmp/data >/tmp/x && /usr/bin/xz -t /tmp/x && /usr/bin/xz -dc /tmp/x | cmp - /tmp/data")
    must(guest, "/bin/gzip -9 -c /tmp/data >/tmp/x && /bin/gzip -t /tmp/x && /bin/gzip -dc /tmp/x | cmp - /tmp/data")


def stress(guest, options):
    """Has stressors verify what they compute."""
    output = must(guest, f"stress-ng --verify --seed 42 --temp-path /tmp {options} --timeout 0 2>&1")
    assert "successful run completed" in output and not re.search(r"fail|abort|skipp", output), output


@pytest.mark.parametrize("name", STRESSORS)
def test_stress(guest, name):
    """Computing, memory and system calls, one after the other."""
    stress(guest, STRESSORS[name])


@pytest.fixture(scope="module", name="four")
def guest_with_four_vcpus(boot):
    """A guest with four vCPUs."""
    guest = boot("linux_octeon_smp", "programs_smp")
    assert must(guest, "nproc").strip() == "4"
    return guest


@pytest.mark.parametrize("name", SMP_STRESSORS)
def test_stress_on_four(four, name):
    """A process for each vCPU. Linux has nothing to complain about."""
    more = "--mmap-bytes 4M" if name == "mmap" else ""
    stress(four, f"--{name} 4 --{name}-ops {SMP_STRESSORS[name]} {more}")
    assert not TROUBLE.search(must(four, "dmesg"))


@pytest.mark.parametrize("kind", HACKBENCH)
def test_hackbench_on_four(four, kind):
    """All messages arrive."""
    assert re.search(r"^Time: [\d.]+$", must(four, f"hackbench {kind} -g 2 -l 40"), re.M)
    assert not TROUBLE.search(must(four, "dmesg"))


def test_interpreter(boot):
    """A little of it under the interpreter."""
    guest = boot("linux_virt", "programs_interp", ENGINE_INTERP=True)
    test_digests(guest)
    must(guest, "seq 1 20000 >/tmp/data; /usr/bin/xz -c /tmp/data | /usr/bin/xz -dc | cmp - /tmp/data")
    must(guest, "stress-ng --verify --temp-path /tmp --cpu 1 --cpu-ops 10 --timeout 0 2>&1")
