# SPDX-License-Identifier: BSD-2-Clause
"""Real guests on networks of every back end: TAP in a network namespace of the test's own, passt, a cable between two.

HUSK_LONG=1 in the environment moves 1 GiB each way instead of 16 MiB.
"""

import contextlib
import hashlib
import os
import socket
import stat
import subprocess
import sys
import threading

import pytest

from conftest import TREE
from guest import PROMPT, Guest, qemu, variant

sys.path.append(str(TREE / "images"))
import initramfs  # noqa: E402  pylint: disable=wrong-import-position

MIB = 1 << 20
BULK = 1024 if os.environ.get("HUSK_LONG") else 16
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root makes network namespaces and TAP interfaces")

# Run by the other end: gives BULK MiB to whoever asks at one port as at a web server, and takes what comes to the other.
PEER = """
import hashlib, socket, sys
bulk = int(sys.argv[1]) << 20
block = bytes(range(256)) * 4096
give, take = (socket.create_server((sys.argv[2], port)) for port in (5001, 5002))
print("ready", flush=True)
with give.accept()[0] as peer:
    peer.recv(65536)
    peer.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n")
    sent = hashlib.sha256()
    for _ in range(bulk // len(block)):
        peer.sendall(block)
        sent.update(block)
print("sent", sent.hexdigest(), flush=True)
with take.accept()[0] as peer:
    # Some passts (2023-03-09) reset after 24 s a connection on which this end has sent nothing.
    peer.sendall(b"go")
    got, size = hashlib.sha256(), 0
    while data := peer.recv(1 << 18):
        got.update(data)
        size += len(data)
print("got", size, got.hexdigest(), flush=True)
"""


@pytest.fixture(scope="module", name="image")
def image_of_linux():
    """An image with one network card."""
    return variant("networks-linux", "linux_octeon", VIRTIO_NET=True, VIRTIO_RNG=True, NET_TAP=True, NET_STREAM=True) / "husk"


@pytest.fixture(name="namespace")
def network_namespace():
    """A network namespace with an interface tap0 at 10.9.0.1/24; its name."""
    name = f"husk-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    for words in ("tuntap add dev tap0 mode tap", "address add 10.9.0.1/24 dev tap0", "link set tap0 up", "link set lo up"):
        subprocess.run(["ip", "-n", name, *words.split()], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def set_up(guest, address):
    """Gives the guest's card an address."""
    guest.run(f"ifconfig eth0 {address} netmask 255.255.255.0 up")
    assert guest.result == 0


def transfer(guest, host, peer):
    """Moves data both ways between the guest and a process that runs PEER; checks what arrived."""

    def said(word):
        line = peer.stdout.readline().split()
        assert line and line[0] == word, line
        return line[1:]

    said("ready")
    got = guest.run(f"wget -q -O - http://{host}:5001/ | sha256sum").split()
    assert said("sent")[0] in got
    block = bytes(range(256)) * 4096
    guest.run("i=0; while [ $i -lt 256 ]; do printf \"\\\\$(printf %03o $i)\"; i=$((i+1)); done >/tmp/a; "
              "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do cat /tmp/a /tmp/a >/tmp/b; mv /tmp/b /tmp/a; done; wc -c </tmp/a")  # fmt: skip
    guest.run(f"i=0; (while [ $i -lt {BULK} ]; do cat /tmp/a; i=$((i+1)); done) | nc {host} 5002")
    expected = hashlib.sha256()
    for _ in range(BULK):
        expected.update(block)
    assert said("got") == [str(BULK * MIB), expected.hexdigest()]


@contextlib.contextmanager
def peer_process(address, *prefix):
    """PEER, in a namespace if prefix says so."""
    command = [*prefix, sys.executable, "-c", PEER, str(BULK), address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@needs_root
def test_tap(image, namespace):
    """Ping and bulk data both ways between guest and host over a TAP interface."""
    inside = ["ip", "netns", "exec", namespace]
    with Guest(*inside, image, "net0=tap:tap0") as guest, peer_process("10.9.0.1", *inside) as peer:
        guest.boot()
        set_up(guest, "10.9.0.2")
        assert "3 packets received" in guest.run("ping -c 3 10.9.0.1")
        done = subprocess.run([*inside, "ping", "-c", "3", "-s", "1400", "10.9.0.2"], check=False, capture_output=True, text=True)
        assert "3 received" in done.stdout
        transfer(guest, "10.9.0.1", peer)
        guest.power_off()


@needs_root
def test_a_queue_for_each_vcpu(namespace, tmp_path):
    """Four vCPUs: a pair of queues of the card for each, and a queue of the disk; all carry what their vCPU wants."""
    inside = ["ip", "netns", "exec", namespace]
    smp = variant("networks-smp", "linux_octeon_smp", VIRTIO_NET=True, VIRTIO_RNG=True, NET_TAP=True, VIRTIO_BLK=True, BLOCK_FILE=True) / "husk"
    (tmp_path / "disk").write_bytes(bytes(MIB))
    with Guest(*inside, smp, "net0=tap:tap0", f"disk0=file:{tmp_path}/disk") as guest, peer_process("10.9.0.1", *inside) as peer:
        guest.boot()
        set_up(guest, "10.9.0.2")
        queues = [f"{direction}-{n}" for direction in ("rx", "tx") for n in range(4)]
        assert guest.run("ls /sys/class/net/eth0/queues").split() == queues
        assert guest.run("ls /sys/block/vda/mq").split() == ["0", "1", "2", "3"]
        for n in range(4):
            assert "3 packets received" in guest.run(f"taskset {1 << n:x} ping -c 3 10.9.0.1")
            guest.run(f"taskset {1 << n:x} dd if=/dev/urandom of=/tmp/x{n} bs=64k count=4")
            guest.run(f"taskset {1 << n:x} dd if=/tmp/x{n} of=/dev/vda bs=64k seek={4 * n} conv=fsync")
            assert guest.result == 0
        sums = guest.run("cat /tmp/x0 /tmp/x1 /tmp/x2 /tmp/x3 | sha256sum").split()
        assert hashlib.sha256((tmp_path / "disk").read_bytes()).hexdigest() in sums
        transfer(guest, "10.9.0.1", peer)
        guest.power_off()


def image_with_vhost():
    """Folder of an image that leaves the frames to the kernel where it can."""
    return variant("networks-vhost", "linux_octeon", VIRTIO_NET=True, VIRTIO_RNG=True, NET_TAP=True, NET_VHOST=True)


@needs_root
def test_tap_with_vhost(namespace):
    """An image that leaves the frames to the kernel where it can; where not, it says so and carries them itself."""
    inside = ["ip", "netns", "exec", namespace]
    with Guest(*inside, image_with_vhost() / "husk", "net0=tap:tap0") as guest, peer_process("10.9.0.1", *inside) as peer:
        text = guest.boot()
        if not os.path.exists("/dev/vhost-net"):
            assert text.count("network 'tap:tap0': there is no /dev/vhost-net") == 1
        set_up(guest, "10.9.0.2")
        assert "3 packets received" in guest.run("ping -c 3 10.9.0.1")
        transfer(guest, "10.9.0.1", peer)
        guest.power_off()


def test_vhost_of_a_real_kernel(tmp_path):
    """In a computer whose kernel has vhost-net: the card's rings are lent to that, which carries data both ways, unchanged."""
    host = variant("networks-vhost-host", "pc_pvh", GUEST_MODULES="tun vhost_net") / "payload"
    files, first = initramfs.Cpio(), (host / "initrd").read_bytes()
    files.add("husk", stat.S_IFREG | 0o755, (image_with_vhost() / "husk").read_bytes())
    (tmp_path / "initrd").write_bytes(first + bytes(-len(first) % 4) + files.finish())
    with Guest(*qemu("-kernel", host / "kernel", "-initrd", tmp_path / "initrd", "-append", "console=ttyS0 quiet", memory=1024)) as guest:
        guest.boot()
        guest.run("tunctl -t tap0; ifconfig tap0 10.9.0.1 netmask 255.255.255.0 up")
        # nc ends with its network, and must not tell that its own input has come to an end before.
        guest.run("mkfifo /fifo; (nc -l -p 5001 </husk >/dev/null &); (nc -l -p 5002 <>/fifo | sha256sum >/sum &)")
        theirs = guest.run("sha256sum </husk")
        guest.type("/husk net0=tap:tap0\r")
        guest.see("with 1 vCPU")
        guest.boot()
        set_up(guest, "10.9.0.2")
        assert "3 packets received" in guest.run("ping -c 3 10.9.0.1")
        assert guest.run("mkfifo /tmp/fifo; nc 10.9.0.1 5001 <>/tmp/fifo | sha256sum") == theirs
        ours = guest.run("sha256sum </bin/busybox; nc 10.9.0.1 5002 </bin/busybox")
        guest.type("\x01c")
        guest.see("(husk) ")
        guest.type("info devices\r")
        assert "rings lent to the back end" in guest.see("(husk) ")
        guest.type("\x01c")
        guest.run("true")
        guest.type("poweroff\r")
        guest.see("husk: guest powered off")
        guest.see(PROMPT)
        assert guest.run("cat /sum") == ours


def test_passt(image, tmp_path):
    """A network without rights: DHCP and bulk data both ways by way of passt."""
    path = tmp_path / "passt.sock"
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.getuid() == 0 and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o55)
    command = ["passt", "--foreground", "--one-off", "--quiet", "--socket", str(path), "--address", "10.8.0.2",
               "--netmask", "24", "--gateway", "10.8.0.1", "--dns", "10.8.0.1"]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as passt:
        try:
            while not path.exists():
                assert passt.poll() is None, passt.stderr.read()
            with Guest(image, f"net0=stream:{path}") as guest, peer_process("127.0.0.1") as peer:
                guest.boot()
                guest.run("ifconfig eth0 up; udhcpc -i eth0 -n -q")
                assert guest.result == 0
                set_up(guest, "10.8.0.2")
                guest.run("route add default gw 10.8.0.1")
                transfer(guest, "10.8.0.1", peer)
                guest.power_off()
        finally:
            passt.kill()


def test_two_guests(image, tmp_path):
    """Two guests connected by a cable; it may be pulled and put in again."""
    path = tmp_path / "cable.sock"
    with Guest(image, f"net0=stream:{path},listen") as first:
        first.boot()
        set_up(first, "10.7.0.1")
        assert first.run("cat /sys/class/net/eth0/carrier").split()[-1] == "0"
        for _ in range(2):
            with Guest(image, f"net0=stream:{path}") as second:
                second.boot()
                set_up(second, "10.7.0.2")
                assert "3 packets received" in second.run("ping -c 3 10.7.0.1")
                assert first.run("cat /sys/class/net/eth0/carrier").split()[-1] == "1"
                first.type("nc -l -p 5003 | md5sum >/tmp/sum &\r")
                sums = second.run("dd if=/dev/urandom of=/tmp/x bs=64k count=100; md5sum </tmp/x; nc 10.7.0.1 5003 </tmp/x")
                assert second.result == 0
                first.run("sleep 1")
                assert first.run("cat /tmp/sum").split()[-2] in sums
                second.power_off()
        first.power_off()


def image_of_pc():
    """Image of host pc with one network card, entropy and two consoles."""
    return variant("networks-pc", "pc_octeon", VIRTIO_NET=True, VIRTIO_RNG=True, NET_VIRTIO_PCI=True, VIRTIO_CONSOLE=True,
                   VIRTIO_CONSOLE_PORTS=2, VIRTIO_CONSOLE1_NAME="service") / "husk"  # fmt: skip


def test_pc_card():
    """A guest on bare metal has the network of the computer's card, and its address; entropy and consoles, too."""
    image = image_of_pc()
    payload = os.urandom(MIB // 2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        results = []

        def serve():
            for action in ("give", "take"):
                with server.accept()[0] as peer:
                    if action == "give":
                        peer.sendall(payload)
                        continue
                    digest = hashlib.md5()
                    while data := peer.recv(65536):
                        digest.update(data)
                    results.append(digest.hexdigest())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        card = ["-netdev", "user,id=n,net=10.6.0.0/24,host=10.6.0.1",
                "-device", "virtio-net-pci,netdev=n,romfile=,mac=52:54:00:aa:bb:cc"]  # fmt: skip
        with Guest(*qemu("-kernel", image, "-append", "net0=virtio-net:0", *card)) as guest:
            guest.boot()
            assert "52:54:00:AA:BB:CC" in guest.run("ifconfig eth0").upper()
            set_up(guest, "10.6.0.15")
            assert "3 packets received" in guest.run("ping -c 3 10.6.0.1")
            sums = guest.run(f"nc 10.6.0.1 {port} </dev/null >/tmp/x; md5sum </tmp/x; nc 10.6.0.1 {port} </tmp/x")
            thread.join(60)
            expected = hashlib.md5(payload).hexdigest()
            assert expected in sums and results == [expected]
            assert guest.run("cat /sys/class/misc/hw_random/rng_current").startswith("virtio_rng")
            assert len(set(guest.run("dd if=/dev/hwrng bs=16 count=8 2>/dev/null | od -A n -t x8 | tr -s ' ' '\\n'").split())) == 16
            guest.run("head -n 1 </dev/hvc1 >/tmp/got & true")
            guest.give_keys_to("service")
            guest.type("typed\r")
            guest.give_keys_to("uart0")
            assert guest.run("until [ -s /tmp/got ]; do sleep 0.1; done; cat /tmp/got") == "typed\n"
            guest.type("echo shown-o''n-hvc1 >/dev/hvc1\r")
            guest.see("shown-on-hvc1")
            guest.run("true")
            guest.power_off()


def refused(*command):
    """Runs an image that is to end for want of something; returns what it said."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode in (1, 3), done.stdout + done.stderr  # QEMU's status 3 is 1
    return done.stdout + done.stderr


def test_networks_that_there_are_not(image, tmp_path):
    """Each refusal says what to do."""
    assert "start the program that listens there first" in refused(image, f"net0=stream:{tmp_path}/no.sock")
    assert "nobody listens there" in refused(image, "net0=stream:127.0.0.1:1")
    assert "write stream:PATH[,listen]" in refused(image, "net0=stream:")
    assert "write tap:NAME" in refused(image, "net0=tap:")
    assert "use one of these\n  stream:" in refused(image, "net0=virtio-net:0")


def test_cards_that_a_computer_does_not_have():
    """Each refusal says what to do."""
    card = ["-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,romfile="]

    def start(spec, *devices):
        return refused(*qemu("-kernel", image_of_pc(), "-append", f"net0={spec}", *devices))

    assert "no such PCI device (virtio-net number 0, from 0 on); add one" in start("virtio-net:0")
    assert "no such PCI device (virtio-net number 1" in start("virtio-net:1", *card)
    assert "no virtio 1.0 device with MSI-X" in start("virtio-net:0", *card[:3], card[3] + ",vectors=0")
    assert "write virtio-net:N" in start("virtio-net:first", *card)
    assert "use one of these\n  virtio-net:" in start("tap:tap0", *card).replace("\r", "")


@needs_root
def test_a_tap_that_goes_away(image, namespace):
    """The guest goes on, with its link down."""
    inside = ["ip", "netns", "exec", namespace]
    with Guest(*inside, image, "net0=tap:tap0") as guest:
        guest.boot()
        set_up(guest, "10.9.0.2")
        assert guest.run("cat /sys/class/net/eth0/carrier").split()[-1] == "1"
        subprocess.run(["ip", "-n", namespace, "link", "delete", "tap0"], check=True)
        guest.run("ping -c 1 -W 1 10.9.0.1; until [ $(cat /sys/class/net/eth0/carrier) = 0 ]; do sleep 0.1; done")
        guest.power_off()
        assert guest.status == 0


@needs_root
def test_a_system_without_tap(image):
    """Where the kernel has no TAP, the refusal says how to get it."""
    hidden = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /dev/net && exec \"$@\"", "sh"]
    assert "this system has no TAP; load the kernel's module tun" in refused(*hidden, image, "net0=tap:tap0")
    text = refused(image, "net0=tap:lo")
    assert "is no TAP interface" in text and "name another" in text


@needs_root
def test_tap_without_rights(image, namespace, tmp_path):
    """An interface of somebody else, and one that is in use."""
    copy = tmp_path / "husk"
    copy.write_bytes(image.read_bytes())
    copy.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o55)
    inside = ["ip", "netns", "exec", namespace]
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    text = refused(*inside, *nobody, copy, "net0=tap:tap0")
    assert "no permission" in text and ("ip tuntap add" in text or "/dev/net/tun" in text)
    with Guest(*inside, image, "net0=tap:tap0") as guest:
        guest.boot()
        assert "in use by another process" in refused(*inside, image, "net0=tap:tap0")
        guest.power_off()
