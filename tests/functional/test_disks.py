# SPDX-License-Identifier: BSD-2-Clause
"""Real guests on disks of every back end: file systems, what survives kill -9, and what is refused.

HUSK_LONG=1 in the environment makes 100 rounds of kill -9 on host linux and 5 on pc of what is 3 and 1 otherwise.
"""

import fcntl
import hashlib
import os
import random
import re
import subprocess
import time

import pytest

from guest import Guest, qemu, variant

LONG = bool(os.environ.get("HUSK_LONG"))
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
MIB = 1 << 20


@pytest.fixture(scope="module", name="image")
def image_of_linux():
    """An image with one disk, and another that may be embedded."""
    return variant("disks-linux", "linux_octeon", VIRTIO_BLK=True, VIRTIO_RNG=True, BLOCK_FILE=True, BLOCK_EMBEDDED=True,
                   GUEST_MODULES="ext4") / "husk"  # fmt: skip


@pytest.fixture(scope="module", name="pc_image")
def image_of_pc():
    """The same for host pc."""
    return variant("disks-pc", "pc_octeon", VIRTIO_BLK=True, VIRTIO_RNG=True, BLOCK_VIRTIO_PCI=True, BLOCK_NVME=True,
                   GUEST_MODULES="ext4") / "husk"  # fmt: skip


@pytest.fixture(name="disk")
def ext4_disk(tmp_path):
    """A disk with an empty file system."""
    path = tmp_path / "disk.img"
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", path, "64M"], check=True)
    return path


def drive(kind, path, number=0):
    """QEMU's options for a disk."""
    device = {"virtio-blk": "virtio-blk-pci", "nvme": f"nvme,serial=disk{number}"}[kind]
    return ["-drive", f"file={path},if=none,id=d{number},format=raw", "-device", f"{device},drive=d{number}"]


def check_file_system(path):
    """Replays the journal as a mount would, and then expects no complaint at all."""
    subprocess.run(["/sbin/e2fsck", "-p", path], check=False, stdout=subprocess.DEVNULL)
    done = subprocess.run(["/sbin/e2fsck", "-fn", path], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def content(number):
    """What the guest writes to its file of that number: lines of the number, up to a size that depends on it."""
    line = f"{number}\n".encode()
    size = 1 + number * 7919 % 60000
    return (line * (size // len(line) + 1))[:size]


WRITER = ("i=0; while :; do i=$((i+1)); yes $i | head -c $((1 + i * 7919 % 60000)) >/mnt/$i; sync; echo synced $i.; "
          "[ $((i % 100)) != 0 ] || rm /mnt/*0; done")  # fmt: skip


def read_file(path, name):
    """Bytes of a file in the file system, without mounting it."""
    return subprocess.run(["/sbin/debugfs", "-R", f"cat /{name}", path], check=True, capture_output=True).stdout


def kill_while_writing(command, path, pause):
    """Kills the run with the guest in the middle of writing. Every file that was synced must be there, and whole."""
    with Guest(*command) as guest:
        guest.boot()
        guest.run("mkdir -p /mnt; mount /dev/vda /mnt")
        assert guest.result == 0
        guest.type(WRITER + "\r")
        guest.match(r"synced 5\.")
        time.sleep(pause)
        guest.child.kill(9)
        text = guest.child.read()
    numbers = [5] + [int(n) for n in re.findall(r"synced (\d+)\.", text)]
    check_file_system(path)
    kept = [n for n in range(1, max(numbers) + 1) if n % 10 != 0]
    for number in kept:
        assert read_file(path, str(number)) == content(number), f"file {number} of {max(numbers)}"


@pytest.mark.parametrize("direct", ["", ",direct"])
def test_what_a_guest_writes_is_in_the_file(image, disk, direct):
    """Files written in the guest are in the file system of the host's file, and those of the host in the guest."""
    subprocess.run(["/sbin/debugfs", "-w", "-R", f"write {__file__} test.py", disk], check=True, capture_output=True)
    with Guest(image, f"disk0=file:{disk}{direct}") as guest:
        guest.boot()
        guest.run("mkdir /mnt; mount /dev/vda /mnt && dd if=/dev/urandom of=/mnt/random bs=64k count=200 && sync")
        assert guest.result == 0
        sums = guest.run("sha256sum /mnt/test.py /mnt/random; umount /mnt; blockdev --flushbufs /dev/vda")
        again = guest.run("mount /dev/vda /mnt; sha256sum /mnt/test.py /mnt/random; umount /mnt")
        guest.power_off()
    with open(__file__, "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() in sums
    random_sum = hashlib.sha256(read_file(disk, "random")).hexdigest()
    assert random_sum in sums and random_sum in again
    check_file_system(disk)


def test_discarded_blocks_become_holes(image, disk):
    """fstrim in the guest gives storage back to the host."""
    with Guest(image, f"disk0=file:{disk}") as guest:
        guest.boot()
        guest.run("date -s @1700000000")  # it starts in 1970, and ext4 takes a time of 0 for none
        guest.run("mkdir /mnt; mount /dev/vda /mnt && dd if=/dev/urandom of=/mnt/x bs=1M count=30 && sync")
        used = disk.stat().st_blocks * 512
        guest.run("rm /mnt/x; sync; fstrim /mnt; umount /mnt")
        assert guest.result == 0
        assert used - disk.stat().st_blocks * 512 > 25 * MIB
        guest.power_off()
    check_file_system(disk)


def test_a_read_only_disk(image, disk):
    """The guest sees that it cannot write, and two guests may share the file."""
    spec = f"disk0=file:{disk},readonly"
    before = hashlib.sha256(disk.read_bytes()).hexdigest()
    with Guest(image, spec) as guest, Guest(image, spec) as other:
        for g in (guest, other):
            g.boot()
            assert "1" in g.run("cat /sys/block/vda/ro")
            g.run("mkdir /mnt; mount -o ro,noload /dev/vda /mnt")
            assert g.result == 0
            g.run("dd if=/dev/zero of=/dev/vda bs=4k count=1")
            assert g.result != 0
            g.power_off()
    assert hashlib.sha256(disk.read_bytes()).hexdigest() == before


def test_kill_on_linux(image, disk):
    """What was synced survives the end of the process at any time."""
    for _ in range(100 if LONG else 3):
        kill_while_writing([image, f"disk0=file:{disk}"], disk, random.uniform(0, 1.5))
        subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", disk, "64M"], check=True)


def test_an_idle_guest_costs_nothing(image, disk):
    """With a disk that was used, an idle guest takes next to no time of the host's CPUs."""
    with Guest(image, f"disk0=file:{disk}") as guest:
        guest.boot()
        guest.run("dd if=/dev/vda of=/dev/null bs=1M")

        def ticks():
            with open(f"/proc/{guest.child.pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])

        before = ticks()
        time.sleep(5)
        assert ticks() - before < 100  # of 500
        guest.power_off()


# --- pc


@pytest.mark.parametrize("kind", ["virtio-blk", "nvme"])
def test_kill_on_pc(pc_image, disk, kind):
    """What was synced survives the end of the computer at any time."""
    for _ in range(5 if LONG else 1):
        command = qemu("-kernel", pc_image, "-append", f"disk0={kind}:0", *drive(kind, disk))
        kill_while_writing(command, disk, random.uniform(0, 10))
        subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", disk, "64M"], check=True)


@pytest.mark.parametrize("table", ["gpt", "dos"])
def test_partitions(pc_image, tmp_path, table):
    """A partition is a disk of its own, and nothing outside of it changes."""
    path = tmp_path / "disk.img"
    with open(path, "wb") as file:
        file.truncate(32 * MIB)
    subprocess.run(["/sbin/sfdisk", "-q", path], check=True, text=True, input=f"label: {table}\nsize=8M\nsize=2M\n")
    before = path.read_bytes()
    command = qemu("-kernel", pc_image, "-append", "disk0=nvme:0,part=2", *drive("nvme", path))
    with Guest(*command) as guest:
        guest.boot()
        assert guest.run("cat /sys/block/vda/size").split()[-1] == str(2 * MIB // 512)
        written = guest.repeat("my husk", "/tmp/x", 8)
        guest.run("dd if=/tmp/x of=/dev/vda bs=64k; sync")
        guest.power_off()
    after = path.read_bytes()
    start = 9 * MIB  # sfdisk leaves 1 MiB in front
    assert after[:start] == before[:start] and after[start + 2 * MIB:] == before[start + 2 * MIB:]
    assert len(written) == 2 * MIB and after[start:start + 2 * MIB] == written


# --- what is refused


def refused(*command):
    """Runs an image that is to end with the status of a host that lacks something; returns what it said."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode in (1, 3), done.stdout + done.stderr  # QEMU's status 3 is 1
    return done.stdout + done.stderr


def test_files_that_cannot_be_a_disk(image, disk, tmp_path):
    """Each refusal says what to do."""
    assert "make one with: truncate -s 4G /no/such" in refused(image, "disk0=file:/no/such")
    assert "neither a file nor a block device" in refused(image, f"disk0=file:{tmp_path}")
    assert "select it in `make menuconfig` or use one of these\n  file:PATH[,readonly][,direct]\n  embedded:size=MIB\n" in refused(image, "disk0=nvme:0")
    assert "no disk is embedded in this image" in refused(image, "disk0=embedded")
    os.truncate(disk, 1000)
    assert "wrong size, 1000 bytes" in refused(image, f"disk0=file:{disk}")


def test_files_without_permission(image, disk):
    """A file that only others may write is refused, or opened for reading."""
    for folder in (disk.parent, *disk.parent.parents):
        if folder.stat().st_uid == os.getuid() and os.getuid() == 0 and folder != folder.parent:
            folder.chmod(folder.stat().st_mode | 0o55)
    disk.chmod(0o444)
    nobody = NOBODY if os.getuid() == 0 else []
    copy = disk.parent / "husk"
    copy.write_bytes(image.read_bytes())
    copy.chmod(0o755)
    assert f"no permission to write {disk}; give it, or add ',readonly'" in refused(*nobody, copy, f"disk0=file:{disk}")
    disk.chmod(0)
    assert f"no permission to read {disk}" in refused(*nobody, copy, f"disk0=file:{disk},readonly")


def test_a_file_in_use(image, disk):
    """A second writer is kept out, whoever the first is."""
    with open(disk, "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert "in use by another process" in refused(image, f"disk0=file:{disk}")
    with Guest(image, f"disk0=file:{disk}") as guest:
        guest.boot()
        assert "in use by another process" in refused(image, f"disk0=file:{disk}")
        assert "in use by another process" in refused(image, f"disk0=file:{disk},readonly")
        guest.power_off()


def test_devices_that_a_pc_does_not_have(pc_image, disk):
    """Each refusal says what to do."""

    def start(spec, *devices):
        return refused(*qemu("-kernel", pc_image, "-append", f"disk0={spec}", *devices))

    assert "no such PCI device (NVMe number 0, from 0 on); add one" in start("nvme:0")
    assert "no such PCI device (virtio-blk number 1" in start("virtio-blk:1", *drive("virtio-blk", disk))
    assert "no partition table (GPT or MBR), or a damaged one" in start("nvme:0,part=1", *drive("nvme", disk))
    assert "write the number of the device" in start("nvme:x", *drive("nvme", disk))
