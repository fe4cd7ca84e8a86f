# SPDX-License-Identifier: BSD-2-Clause
"""Bochs: an emulated PC whose CPU has Intel VMX, which QEMU's has not. It is slow, and its time does not pass for real.

It is Debian's of a release that has posted interrupts (Bochs 2.8 and later), fetched with all that it needs and run from a
folder of its own, with its own C library: what the system has does not matter.
"""

import fcntl
import functools
import subprocess
import sys

import pytest

from composing import CACHE
from conftest import OUT, TREE
from guest import Guest

sys.path.append(str(TREE / "images"))
import debian  # noqa: E402 pylint: disable=wrong-import-position
import files  # noqa: E402 pylint: disable=wrong-import-position

PATIENCE = 600  # seconds that nothing may take
SUITE = "trixie"
PACKAGES = ("bochs", "bochs-term", "bochsbios", "vgabios")
LIBRARIES = "usr/lib/x86_64-linux-gnu"
CONFIGURATION = """\
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0
megs: 512
romimage: file={share}/BIOS-bochs-latest
vgaromimage: file={share}/VGABIOS-lgpl-latest
display_library: rfb, options="timeout=0"
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
com1: enabled=1, mode=term, dev=/dev/tty
clock: sync=none
log: {folder}/bochs.log
info: action=ignore
error: action=ignore
panic: action=fatal
"""


def _fetch(root):
    """Makes the folder of Bochs, unless it is there."""
    archive = debian.Archive(CACHE, SUITE, "amd64", str(OUT / "bochs.json"))
    packages = archive.with_dependencies(list(PACKAGES), "bochs")
    archive.save_pins()
    debian.unpack(packages, root)


@functools.lru_cache(None)
def need_bochs():
    """Folder with Bochs in it. Skips the test if it cannot be fetched."""
    root = OUT / "bochs"
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / "bochs.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _fetch(root)
        except files.InputError as error:
            pytest.skip(f"Bochs cannot be fetched: {error}")
    return root


def make_iso(image, iso, *arguments):
    """Makes a GRUB ISO of an image, with a command line."""
    subprocess.run(["sh", TREE / "images/iso.sh", image, iso, *arguments], check=True)
    return iso


class BochsGuest(Guest):
    """A run of an ISO in Bochs, with COM1 on a new terminal. It does not end by itself unless the PC is switched off."""

    def __init__(self, iso, folder, cpus=1, model="corei7_skylake_x", ips=100000000):
        root = need_bochs()
        share = root / "usr/share/bochs"
        (folder / "bochsrc").write_text(CONFIGURATION.format(model=model, cpus=cpus, ips=ips, iso=iso, folder=folder, share=share))
        # With several CPUs and without its debugger, Bochs 3.0 forgets an exception that was delivered right before the guest
        # exits: it saves the RIP from before, with the handler's stack.
        debugger = "-debugger" if cpus > 1 else ""
        (folder / "commands").write_text("c\nq\n")
        start = " ".join([f"LTDL_LIBRARY_PATH={root / LIBRARIES}/bochs/plugins BXSHARE={share}",
                          f"exec {root}/usr/lib64/ld-linux-x86-64.so.2 --library-path {root / LIBRARIES} {root}/usr/bin/bochs-bin",
                          f"-q {debugger} -f {folder}/bochsrc -rc {folder}/commands 3<>/dev/tty </dev/null >{folder}/out 2>&1"])  # fmt: skip
        # The terminal stays open from the start, or its end would count as a hang-up.
        super().__init__("sh", "-c", start)
        self.child.timeout = PATIENCE
