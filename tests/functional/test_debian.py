# SPDX-License-Identifier: BSD-2-Clause
"""The Debian root file system: the same bytes from the same packages, and a system that people can log in to."""

import os
import re
import subprocess
import sys

import pytest

from conftest import TREE
from guest import Guest, qemu

sys.path.insert(0, str(TREE / "images"))
import ext4  # noqa: E402  pylint: disable=wrong-import-position
import rootfs  # noqa: E402  pylint: disable=wrong-import-position

PROMPT = "root@debian:~# "


def log_in(guest, patience):
    """Logs in as root on the console."""
    guest.child.timeout = patience
    guest.see("debian login: ")
    guest.type("root\r")
    guest.see(PROMPT)


def ask(guest, command):
    """Output of a shell command."""
    guest.type(f"echo 'be'gin; {command}; echo 'en'd\r")
    guest.match("begin\r+\n")
    text = guest.see("end")
    guest.see(PROMPT)
    return text


def power_off(guest):
    """Shuts the guest down as its user would."""
    guest.type("poweroff\r")
    assert "husk: guest powered off" in guest.end()
    assert guest.status == 0


@pytest.fixture(name="path")
def socket_path(tmp_path):
    """Where passt makes its socket: it gives up root's rights."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() == 0 and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o57)
    return tmp_path / "passt.sock"


def test_login_and_network_on_linux(built, path):
    """Debian comes up whole on the disk in the image, gets its address by DHCP, and ends well."""
    image = built("linux_octeon_debian") / "husk"
    command = ["passt", "--foreground", "--one-off", "--quiet", "--socket", str(path), "--address", "10.8.0.2",
               "--netmask", "24", "--gateway", "10.8.0.1"]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as passt:
        while not path.exists():
            assert passt.poll() is None, passt.stderr.read()
        with Guest(image, f"net0=stream:{path}") as guest:
            log_in(guest, 240)
            assert "0 loaded units listed" in ask(guest, "systemctl --failed --no-pager")
            ask(guest, "for i in $(seq 60); do ip route | grep -q default && break; sleep 1; done")
            assert "10.8.0.2/24" in ask(guest, "ip address show dev eth0")
            assert "default via 10.8.0.1" in ask(guest, "ip route")
            text = ask(guest, "yes | head -c 20000000 >/x; sync; echo 3 >/proc/sys/vm/drop_caches; cksum /x; rm /x")
            assert f"{subprocess.run('yes | head -c 20000000 | cksum', shell=True, check=True, capture_output=True, text=True).stdout.split()[0]} 20000000" in text
            power_off(guest)
        passt.kill()


long = pytest.mark.skipif("HUSK_LONG" not in os.environ, reason="takes minutes: set HUSK_LONG=1")


@long
@pytest.mark.parametrize("config", ["pc_octeon_debian", "pc_pvh_debian"])
def test_login_and_network_on_pc(built, config):
    """The same on a bare computer, with its card; for MIPS and for x86-64."""
    image = built(config) / "husk"
    card = ["-netdev", "user,id=n,net=10.6.0.0/24", "-device", "virtio-net-pci,netdev=n,romfile="]
    with Guest(*qemu("-kernel", image, *card, memory=1536)) as guest:
        log_in(guest, 1800)
        assert "0 loaded units listed" in ask(guest, "systemctl --failed --no-pager")
        assert re.search(r"vda .* 512M .*/\r", ask(guest, "lsblk"))
        ask(guest, "for i in $(seq 60); do ip route | grep -q default && break; sleep 1; done")
        assert "10.6.0.15/24" in ask(guest, "ip address show dev eth0")
        power_off(guest)


@long
def test_packages_can_be_configured(built):
    """Maintainer scripts run, and ask nothing; then the system is as installed, and can be shut down."""
    with Guest(built("linux_octeon_debian") / "husk", "net0=stream:127.0.0.1:47832,listen") as guest:
        log_in(guest, 1200)
        assert "failed=0," in ask(guest, "dpkg --configure -a >/tmp/log 2>&1; echo failed=$?,")
        assert "left=0," in ask(guest, "echo left=$(dpkg-query -W -f '${db:Status-Status}\\n' | grep -vcx installed),")
        assert ask(guest, "dpkg --audit").strip() == ""
        power_off(guest)


def packages(out):
    """[(pin, path)] of the packages of a build folder's root file system."""
    text = (out / "payload/payload.json").read_text(encoding="utf-8")
    cache = os.path.expanduser(os.environ.get("HUSK_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "husk"))
    names = re.findall(r'"package": "([^"]+)",\s+"package_sha256": "([0-9a-f]{64})"', text)
    found = [({"package": name}, os.path.join(cache, "deb", digest + ".deb")) for name, digest in names]
    return [(pin, path) for pin, path in found if pin["package"] in ("bash", "base-files", "base-passwd", "libc-bin", "libpam-runtime", "mawk",
            "passwd", "systemd", "util-linux")]  # fmt: skip


def test_the_same_packages_give_the_same_file_system(built, tmp_path):
    """Neither time nor folder matter, and the file system is in order."""
    found = packages(built("linux_octeon_debian"))
    assert len(found) == 9
    results = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tree = rootfs.build(found, {"ROOTFS_ADDRESS": "10.0.0.2/24 10.0.0.1", "ROOTFS_NAMESERVERS": "10.0.0.1"})
        results.append(ext4.build(tree, 192, "husk-root", tmp_path / name))
    assert results[0] == results[1]
    image = tmp_path / "image"
    image.write_bytes(results[0])
    os.truncate(image, 192 << 20)
    done = subprocess.run(["/sbin/e2fsck", "-fn", image], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout

    def debugfs(command):
        return subprocess.run(["/sbin/debugfs", "-R", command, image], check=True, capture_output=True, text=True).stdout

    assert "Address=10.0.0.2/24\nGateway=10.0.0.1\n" in debugfs("cat /etc/systemd/network/20-wired.network")
    assert "root::" in debugfs("cat /etc/shadow")
    assert "auth\t[success=1 default=ignore]\tpam_unix.so nullok\n" in debugfs("cat /etc/pam.d/common-auth")
    assert "Module: unix\nrequired\tpam_unix.so\n" in debugfs("cat /var/lib/pam/session")
    assert re.search(r"Mode:\s+0640.*\n.*\n?User:\s+0\s+Group:\s+42\b", debugfs("stat /etc/shadow"))
    assert re.search(r"Mode:\s+04755", debugfs("stat /usr/bin/passwd"))
    assert "systemd-network:x:" in debugfs("cat /etc/passwd")
