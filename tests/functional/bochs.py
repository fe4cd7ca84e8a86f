# SPDX-License-Identifier: BSD-2-Clause
"""Bochs: an emulated PC whose CPU has Intel VMX, which QEMU's has not. It is slow, and its time does not pass for real."""

import shutil
import subprocess

import pytest

from conftest import TREE
from guest import Guest

PATIENCE = 600  # seconds that nothing may take
SHARE = "/usr/share/bochs"
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
error: action=ignore
panic: action=fatal
"""


def need_bochs():
    """Skips the test if there is no Bochs and none can be installed."""
    if shutil.which("bochs-bin"):
        return
    done = subprocess.run(["sh", TREE / "images/packages.sh", "bochs"], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not shutil.which("bochs-bin"):
        pytest.skip("Bochs cannot be installed: " + " ".join((done.stdout + done.stderr).split()))


def make_iso(image, iso, *arguments):
    """Makes a GRUB ISO of an image, with a command line."""
    subprocess.run(["sh", TREE / "images/iso.sh", image, iso, *arguments], check=True)
    return iso


class BochsGuest(Guest):
    """A run of an ISO in Bochs, with COM1 on a new terminal. It does not end by itself unless the PC is switched off."""

    def __init__(self, iso, folder, cpus=1, model="corei7_skylake_x", ips=100000000):
        need_bochs()
        (folder / "bochsrc").write_text(CONFIGURATION.format(model=model, cpus=cpus, ips=ips, iso=iso, folder=folder, share=SHARE))
        # Its debugger is compiled in, and waits.
        (folder / "commands").write_text("c\nq\n")
        # The terminal stays open from the start, or its end would count as a hang-up.
        super().__init__("sh", "-c", f"exec bochs-bin -q -f {folder}/bochsrc -rc {folder}/commands 3<>/dev/tty </dev/null >{folder}/out 2>&1")
        self.child.timeout = PATIENCE
