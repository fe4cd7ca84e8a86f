# SPDX-License-Identifier: BSD-2-Clause
"""Virtio devices as unmodified kernels use them, on both boards. test_disks.py and test_networks.py have the back ends."""

import fcntl
import hashlib
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import OUT, TREE
from guest import PATIENCE, Guest, qemu, variant

sys.path.append(str(TREE / "images"))
import debian  # noqa: E402 pylint: disable=wrong-import-position

MIB = 1 << 20
BOARDS = ("octeon", "virt")
each_board = pytest.mark.parametrize("board", BOARDS)


def image(board, name, **values):
    """Image of a board with these devices."""
    return variant(f"virtio-{name}-{board}", f"linux_{board}", BLOCK_FILE=True, **values) / "husk"


def disks(board):
    """Image with two disks, of which the second has a serial number, four consoles and entropy."""
    return image(board, "two", VIRTIO_BLK=True, VIRTIO_BLK_COUNT=2, VIRTIO_BLK1_SERIAL="the-second", VIRTIO_RNG=True,
                 VIRTIO_CONSOLE=True, VIRTIO_CONSOLE_PORTS=4, VIRTIO_CONSOLE1_NAME="service", VIRTIO_CONSOLE2_NAME="remote",
                 VIRTIO_CONSOLE3_NAME="extra", CHARDEV_STREAM=True, CHARDEV_PTY=True, CHARDEV_FILE=True)  # fmt: skip


@pytest.fixture(name="disk")
def make_disk(tmp_path):
    """disk("a", mib, "ext4") makes a disk, with a file system if one is named; returns its path."""

    def make(name, mib, kind=None):
        path = tmp_path / f"{name}.img"
        with open(path, "wb") as file:
            file.truncate(mib * MIB)
        if kind:
            subprocess.run(["mke2fs", "-q", "-F", "-t", kind, path], check=True)
        return path

    return make


def spec(path, *options):
    """Spec of a file."""
    return ",".join([f"file:{path}", *options])


def fsck_is_clean(path):
    """True once the journal of a file system is replayed and nothing else is wrong."""
    replayed = subprocess.run(["e2fsck", "-p", path], capture_output=True, text=True, check=False)
    checked = subprocess.run(["e2fsck", "-fn", path], capture_output=True, text=True, check=False)
    assert replayed.returncode in (0, 1), replayed.stdout + replayed.stderr
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return True


def file_in(path, name):
    """Contents of a file of a file system."""
    return subprocess.run(["debugfs", "-R", f"cat {name}", path], capture_output=True, check=True).stdout


@each_board
def test_devices(board, disk):
    """The kernel finds all devices by itself, with what was configured, and their drivers complain about nothing."""
    first, second = disk("first", 8), disk("second", 16)
    with Guest(disks(board), f"disk0={spec(first)}", f"disk1={spec(second)}") as guest:
        guest.boot()
        assert guest.run("cat /sys/block/vda/size /sys/block/vdb/size") == f"{8 * MIB // 512}\n{16 * MIB // 512}\n"
        assert guest.run("cat /sys/block/vdb/serial").strip() == "the-second"
        assert guest.run("cat /sys/class/virtio-ports/*/name") == "console0\nservice\nremote\nextra\n"
        assert guest.run("cat /sys/class/misc/hw_random/rng_current") == "virtio_rng.0\n"
        assert guest.run("dmesg | grep -i virtio | grep -iE 'fail|error|warn'") == ""
        assert len(set(guest.run("dd if=/dev/hwrng bs=16 count=8 2>/dev/null | od -A n -t x8 | tr -s ' ' '\\n'").split())) == 16
        guest.type("\x01c")
        guest.see("(husk)")
        guest.type("info devices\r")
        text = guest.see("(husk)")
        for device in ("disk0", "disk1", "console", "rng"):
            assert re.search(rf"{device}.*\n?.*status 0f", text), text
        guest.type("\x01c")
        guest.run("true")
        guest.power_off()
        assert guest.status == 0


@each_board
def test_file_system(board, disk):
    """mkfs, mount, write, sync, unmount in the guest; the host finds the same file and nothing to repair."""
    first, second = disk("first", 64), disk("second", 64, "ext4")
    with Guest(disks(board), f"disk0={spec(first)}", f"disk1={spec(second, 'direct')}") as guest:
        guest.boot()
        guest.run("mkdir /a /b; mke2fs /dev/vda > /dev/null && mount -t ext4 /dev/vda /a && mount /dev/vdb /b")
        assert guest.result == 0
        guest.run("dd if=/dev/urandom of=/a/x bs=4096 count=4099 2>/dev/null; cp /a/x /b/y; echo small > /b/z; sync")
        sums = [line.split()[0] for line in guest.run("sha256sum /a/x /b/y").splitlines()]
        guest.run("umount /a /b; mount -t ext4 /dev/vda /a; mount /dev/vdb /b")
        assert [line.split()[0] for line in guest.run("sha256sum /a/x /b/y").splitlines()] == sums
        guest.run("umount /a /b")
        guest.power_off()
    for path, name in ((first, "x"), (second, "y")):
        assert fsck_is_clean(path)
        assert hashlib.sha256(file_in(path, name)).hexdigest() == sums[0]
    assert file_in(second, "z") == b"small\n"


def write_at_once(guest, letters):
    """Writes 2 MiB and more to several disks in parallel, to each of its own; returns the bytes."""
    written = [guest.repeat(f"for-disk-{letter}", f"/tmp/{letter}", 8) for letter in letters]
    guest.run(f"for d in {' '.join(letters)}; do dd if=/tmp/$d of=/dev/vd$d bs=64k conv=fsync 2>/dev/null & done; wait")
    return written


@each_board
def test_eight_disks(board, disk):
    """Eight disks at once, written in parallel: each has what was written to it."""
    paths = [disk(f"disk{n}", 4 + n) for n in range(8)]
    words = [f"disk{n}={spec(path)}" for n, path in enumerate(paths)]
    with Guest(image(board, "eight", VIRTIO_BLK=True, VIRTIO_BLK_COUNT=8), *words) as guest:
        guest.boot()
        assert guest.run("cat /sys/block/vd?/size").split() == [str((4 + n) * MIB // 512) for n in range(8)]
        written = write_at_once(guest, "abcdefgh")
        guest.run("sync")
        guest.power_off()
    for path, data in zip(paths, written):
        assert path.read_bytes()[: len(data)] == data


def test_reset_while_busy(disk):
    """A reboot in the middle of writing: the next guest finds its disk working."""
    path = disk("first", 64)
    with Guest(disks("octeon"), f"disk0={spec(path, 'direct')}", f"disk1={spec(disk('other', 1))}") as guest:
        guest.boot()
        for _ in range(3):
            guest.run("for n in 1 2 3 4; do (while dd if=/dev/zero of=/dev/vda bs=1M count=64 oflag=direct; do :; done) "
                      "> /dev/null 2>&1 & done; sleep 0.3")  # fmt: skip
            guest.type("reboot -f\r")
            guest.boot()
        guest.run("echo works | dd of=/dev/vda bs=512 conv=sync,fsync 2>/dev/null")
        assert guest.run("dd if=/dev/vda bs=5 count=1 2>/dev/null") == "works"
        guest.power_off()
        assert guest.status == 0
    assert path.read_bytes()[:6] == b"works\n"


@each_board
def test_consoles(board, disk):
    """Keys go to the console that they were given to, and a shell works on it; the serial port keeps its own."""
    words = [f"disk{n}={spec(disk(str(n), 1))}" for n in range(2)]
    log = disk("log", 0)
    with Guest(disks(board), *words, "console2=pty", f"console3=file:{log}") as guest:
        guest.boot()
        guest.run("setsid sh -c 'exec sh -i < /dev/hvc1 > /dev/hvc1 2>&1' & true")
        others = guest.give_keys_to("service")
        assert others == ["uart1", "console0", "service"][board == "virt" :]
        guest.type("echo se''rvice-$((6 * 7)) $(tty)\r")
        guest.see("service-42 /dev/hvc1")
        guest.type("seq 3000 | sha256sum\r")
        guest.see(hashlib.sha256(b"".join(b"%d\n" % n for n in range(1, 3001))).hexdigest())
        assert guest.give_keys_to("uart0") == ["uart0"]
        assert guest.run("echo back") == "back\n"
        guest.type("echo from-fi''rst > /dev/hvc0\r")
        guest.see("from-first")
        guest.run("head -n 1 < /dev/hvc0 > /tmp/got & true")
        guest.give_keys_to("console0")
        guest.type("typed\r")
        guest.give_keys_to("uart0")
        assert guest.run("until [ -s /tmp/got ]; do sleep 0.1; done; cat /tmp/got") == "typed\n"
        guest.run("seq 3000 > /dev/hvc3")
        guest.power_off()
        assert guest.status == 0
    assert log.read_bytes() == b"".join(b"%d\r\n" % n for n in range(1, 3001))


def use_shell(read, write):
    """Uses a shell of a guest that is at the other end of something: an answer, and many lines of output."""

    def until(end):
        text = b""
        while not text.endswith(end):
            text += read()
        return text

    until(b"# \x1b[6n")  # the shell asks the terminal where its cursor is
    write(b"echo se''en-$((6 * 7)) $(tty)\r")
    assert b"\nseen-42 /dev/hvc" in until(b"# \x1b[6n")
    write(b"seq 20000\r")
    assert until(b"# \x1b[6n").split(b"\r\n")[1:-1] == [b"%d" % n for n in range(1, 20001)]


def test_consoles_of_their_own(disk, tmp_path):
    """A console has a socket or a terminal for itself. Peers come and go; neither they nor the serial port see the others."""
    words = [f"disk{n}={spec(disk(str(n), 1))}" for n in range(2)]
    path, link = tmp_path / "console.sock", tmp_path / "terminal"
    with Guest(disks("virt"), *words, f"console2=stream:{path},listen", f"console3=pty:{link}") as guest:
        guest.boot()
        guest.run("echo lost > /dev/hvc2; echo lost > /dev/hvc3")
        shell = "setsid sh -c 'exec sh -i < /dev/hvcN > /dev/hvcN 2>&1' &"
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(PATIENCE)
                peer.connect(str(path))
                guest.run(shell.replace("N", "2") + " sleep 0")
                use_shell(lambda: peer.recv(4096), peer.sendall)
                peer.sendall(b"exit\r")
                peer.recv(4096)
        terminal = os.open(link, os.O_RDWR | os.O_NOCTTY)
        guest.run(shell.replace("N", "3") + " sleep 0")
        use_shell(lambda: os.read(terminal, 4096), lambda keys: os.write(terminal, keys))
        os.close(terminal)
        assert guest.run("echo alone") == "alone\n"
        assert "seen-42" not in guest.power_off()
        assert guest.status == 0


def test_consoles_that_cannot_be(disk, tmp_path):
    """Each refusal says what to do."""
    words = [f"disk{n}={spec(disk(str(n), 1))}" for n in range(2)]

    def refused(line):
        done = subprocess.run([disks("virt"), *words, f"console2={line}"], check=False, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60)  # fmt: skip
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "start the program that listens there first" in refused(f"stream:{tmp_path}/no.sock")
    assert "write stream:PATH[,listen]" in refused("stream:")
    assert "there is no folder for /no/such; make it" in refused("file:/no/such")
    (tmp_path / "taken").touch()
    assert "name a path that is free" in refused(f"pty:{tmp_path}/taken")
    text = refused("serial:1")
    assert "this image has no such back end; select it in `make menuconfig` or use one of these\n  file:PATH\n  pty" in text


@pytest.fixture(scope="session", name="fio")
def make_fio_disk():
    """A disk with fio of the guest's architecture and all that it needs, to be the root of a chroot."""
    given = dict(word.split("=", 1) for word in os.environ.get("HUSK_VARIABLES", "").split() if "=" in word)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root, path = OUT / "fio", OUT / "fio.img"
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / "fio.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            archive = debian.Archive(given.get("HUSK_CACHE", base / "husk"), "bookworm", "mips64el", OUT / "fio.json")
            for folder in ("dev", "proc"):
                (root / folder).mkdir(parents=True, exist_ok=True)
            for _, package in archive.with_dependencies(["fio"], "tools"):
                subprocess.run(["dpkg-deb", "-x", package, root], check=True)
            subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", root, f"{path}.new", "512M"], check=True)
            os.replace(f"{path}.new", path)
    return path


def prepare_fio(guest, device):
    """Mounts the disk with fio, and returns the beginning of its command line for work on /dev/vda."""
    guest.run(f"mkdir /fio; mount -o ro,noload {device} /fio; mount -o bind /dev /fio/dev; mount -t proc proc /fio/proc")
    return ("chroot /fio fio --name=v --filename=/dev/vda --ioengine=libaio --direct=1 --verify=crc32c --verify_fatal=1 "
            "--verify_state_save=0 --output=/dev/null ")  # fmt: skip


def test_fio(fio, disk):
    """fio finds what it wrote, over block sizes, orders and depths; and finds the byte that somebody else changed."""
    path = disk("first", 64)
    with Guest(disks("octeon"), f"disk0={spec(path)}", f"disk1={spec(fio, 'readonly')}") as guest:
        guest.boot()
        run = prepare_fio(guest, "/dev/vdb")
        for options in (
            "--rw=randwrite --bsrange=512-64k --blockalign=512 --iodepth=1 --size=8M",
            "--rw=randrw --bsrange=512-128k --blockalign=512 --iodepth=16 --size=32M",
            "--rw=randwrite --bsrange=4k-1M --blockalign=4k --iodepth=64 --size=64M",
            "--rw=write --bs=256k --iodepth=4 --size=64M",
        ):
            guest.run(run + options)
            assert guest.result == 0, options
        again = run + "--rw=write --bs=4k --iodepth=8 --size=4M "
        guest.run(again + "--do_verify=0")
        guest.run(again + "--verify_only")
        assert guest.result == 0
        with open(path, "r+b") as file:
            file.seek(2 * MIB + 1000)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
        guest.run(again + "--verify_only")
        assert guest.result != 0
        guest.power_off()


@pytest.mark.skipif("HUSK_LONG" not in os.environ, reason="takes minutes in an emulated PC: set HUSK_LONG=1")
def test_eight_disks_of_a_computer(fio, disk):
    """Host pc: eight disks of both kinds at once, written in parallel; fio on one of each; a file system made in the guest."""
    kinds = ["virtio-blk", "nvme"] * 4
    paths = [disk(f"disk{n}", 16 + n) for n in range(7)]
    drives = []
    for n, path in enumerate([*paths, fio]):
        device = f"nvme,serial=disk{n}" if kinds[n] == "nvme" else "virtio-blk-pci"
        drives += ["-drive", f"file={path},if=none,id=d{n},format=raw,snapshot={'on' if path == fio else 'off'}",
                   "-device", f"{device},drive=d{n}"]  # fmt: skip
    words = " ".join(f"disk{n}={kind}:{n // 2}" for n, kind in enumerate(kinds))
    image_of_pc = variant("disks-pc-eight", "pc_octeon", VIRTIO_BLK=True, VIRTIO_BLK_COUNT=8, BLOCK_VIRTIO_PCI=True, BLOCK_NVME=True) / "husk"
    with Guest(*qemu("-kernel", image_of_pc, "-append", words + ",readonly", *drives)) as guest:
        guest.boot()
        assert guest.run("cat /sys/block/vd[a-g]/size").split() == [str((16 + n) * MIB // 512) for n in range(7)]
        written = write_at_once(guest, "bcdefg")
        run = prepare_fio(guest, "/dev/vdh")
        for device in "ab":
            options = "--rw=randrw --bsrange=512-128k --blockalign=512 --iodepth=16 --size=4M --offset=8M"
            guest.run(run.replace("vda", "vd" + device) + options)
            assert guest.result == 0
        guest.run("date -s @1700000000; mkdir /a; mke2fs /dev/vda >/dev/null && mount -t ext4 /dev/vda /a && seq 100000 >/a/x && sync && umount /a")
        assert guest.result == 0
        guest.power_off()
        assert guest.status == 0
    for path, data in zip(paths[1:], written):
        assert path.read_bytes()[: len(data)] == data
    assert fsck_is_clean(paths[0])
    assert file_in(paths[0], "x") == b"".join(b"%d\n" % n for n in range(1, 100001))


def test_pvh(disk):
    """The kernel of machine pvh finds its devices in ACPI's namespace; the board's own console has the keys at first."""
    path = disk("first", 16, "ext4")
    image_of_pvh = variant("virtio-pvh", "pc_pvh", VIRTIO_BLK=True, VIRTIO_NET=True, VIRTIO_RNG=True, VIRTIO_CONSOLE=True,
                           BLOCK_NVME=True, NET_VIRTIO_PCI=True, VIRTIO_BLK0_BACKEND="nvme:0") / "husk"  # fmt: skip
    devices = ["-drive", f"file={path},if=none,id=d,format=raw", "-device", "nvme,drive=d,serial=0",
               "-netdev", "user,id=n,net=10.6.0.0/24,host=10.6.0.1", "-device", "virtio-net-pci,netdev=n,romfile="]  # fmt: skip
    with Guest(*qemu("-kernel", image_of_pvh, *devices)) as guest:
        guest.boot()
        assert len(re.findall(r"IO-APIC +\d+-fasteoi +virtio[0-3]$", guest.run("cat /proc/interrupts"), re.M)) == 4
        assert guest.run("cat /sys/class/misc/hw_random/rng_current").strip().startswith("virtio_rng")
        assert guest.run("cat /sys/class/virtio-ports/*/name").strip() == "console0"
        guest.run("head -c 64 /dev/hwrng > /dev/null")
        assert guest.result == 0
        guest.run("mkdir /a && mount /dev/vda /a && seq 100000 > /a/x && umount /a")
        assert guest.result == 0
        guest.run("ifconfig eth0 10.6.0.15 netmask 255.255.255.0 up")
        assert "3 packets received" in guest.run("ping -c 3 10.6.0.1")
        guest.power_off()
        assert guest.status == 0
    assert fsck_is_clean(path)
    assert file_in(path, "x") == b"".join(b"%d\n" % n for n in range(1, 100001))
