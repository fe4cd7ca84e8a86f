# SPDX-License-Identifier: BSD-2-Clause
"""
The part `io` of `make bench`: disks and networks of guests, in husk and in QEMU.

husk has virtio over MMIO in its machine `virt`, QEMU virtio over PCI in its machine malta, which is the one MIPS
machine of QEMU that runs Debian's programs and has a bus for such devices. Debian's generic kernel, husk's, has no
driver for malta's PCI bridge, and its kernel for malta no driver for anything but malta: so each has its own flavour of
the same version of the kernel, built from the same source, which differ in what they know of boards. All else is the
same: modules, initial RAM disk, disks, the programs on them, the file and the TAP interface of the build host.
"""

import os
import statistics
import subprocess
from pathlib import Path

import pexpect

import programs
from io_items import DISK_BYTES, items
from peer import GUEST_ADDRESS, INTERFACE, Peer
from prompt import Guest
from report import Report, environment, number, speed_ratio
from sides import PATIENCE, QEMU, pin

ROUNDS = 3
TOOLS = ("fio", "iperf3", "iputils-ping")
MODULES = ("virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net", "virtio_rng", "ext4")
MALTA_KERNEL = "linux-image-5kc-malta"
#: times as fast as QEMU: what husk is to be at least, and what it would like to be
BAR, GOAL = 1.5, 4
SET_UP = ("dmesg -n 1", "mkdir /tools", "mount -o ro,noload /dev/vdb /tools", "mount -o bind /dev /tools/dev",
          "mount -t proc proc /tools/proc", "mount -t tmpfs tmpfs /tools/tmp")  # fmt: skip
CONFIGURATION = ("CONFIG_VIRTIO_BLK=y", "CONFIG_VIRTIO_BLK_COUNT=2", "CONFIG_VIRTIO_NET=y", "CONFIG_BLOCK_FILE=y",
                 "CONFIG_NET_TAP=y", "CONFIG_VIRTIO_RNG=y", f'CONFIG_GUEST_MODULES="{" ".join(MODULES)}"')  # fmt: skip


def _write_once(path, make):
    """Has `make` write a file, unless it is there."""
    if not path.exists():
        new = path.with_suffix(".new")
        make(new)
        os.replace(new, path)
    return path


def _random_file(path):
    with open(path, "wb") as file:
        for _ in range(DISK_BYTES >> 20):
            file.write(os.urandom(1 << 20))


class Machines:
    """Files and command lines."""

    def __init__(self, args, builder):
        self.out = args.out / "io"
        self.out.mkdir(exist_ok=True)
        archive = programs.debian.Archive(args.cache, "bookworm", "mips64el", str(self.out / "packages.json"))
        self.disk = _write_once(self.out / "disk.img", _random_file)
        self.tools = _write_once(self.out / "tools.img", lambda path: self._make_tools(archive, path))
        self.image = builder.image("io-dbt", "linux_virt", "dbt", *CONFIGURATION)
        pin_, _, kernel = archive.file(MALTA_KERNEL, "boot/vmlinuz-*")
        found = programs.modules.collect(archive, MALTA_KERNEL, MODULES)
        (self.out / "kernel").write_bytes(kernel)
        (self.out / "initrd").write_bytes(programs.initramfs.build(programs.busybox(args.cache, self.out), found))
        archive.save_pins()
        self.kernels = {"qemu": f"{pin_['package']} {pin_['version']}"}
        self.argv = {"qemu": self._qemu, "husk": self._husk}

    def _make_tools(self, archive, path):
        """A disk with the programs that measure and all that they need, to be the root of a chroot."""
        root = self.out / "tools"
        for folder in ("dev", "proc", "tmp"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for _, package in archive.with_dependencies(list(TOOLS), "tools"):
            subprocess.run(["dpkg-deb", "-x", package, root], check=True)
        subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", root, path, "512M"], check=True)

    def _husk(self, net):
        words = [self.image / "husk", f"disk0=file:{self.disk}", f"disk1=file:{self.tools},readonly"]
        return [*words, f"net0=tap:{INTERFACE}"] if net else words

    def _qemu(self, net):
        # With KASLR this kernel does not start there.
        words = [QEMU, "-M", "malta", "-cpu", "MIPS64R2-generic", "-m", "256", "-accel", "tcg,thread=single",
                 "-kernel", self.out / "kernel", "-initrd", self.out / "initrd", "-append", "console=ttyS0 nokaslr",
                 "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console", "-display", "none",
                 "-vga", "none", "-monitor", "none", "-net", "none",
                 "-device", "virtio-rng-pci,disable-legacy=on"]  # fmt: skip
        for n, (path, more) in enumerate(((self.disk, ""), (self.tools, ",readonly=on"))):
            words += ["-drive", f"file={path},if=none,id=d{n},format=raw{more}",
                      "-device", f"virtio-blk-pci,drive=d{n},disable-legacy=on"]  # fmt: skip
        if net:
            words += ["-netdev", f"tap,id=n0,ifname={INTERFACE},script=no,downscript=no",
                      "-device", "virtio-net-pci,netdev=n0,romfile=,disable-legacy=on"]  # fmt: skip
        return words


class Measurement:
    """{side: {item: [values]}}; and of what the process moves in a second of its CPU time."""

    def __init__(self, chosen):
        self.values, self.per_cpu = ({side: {item.name: [] for item in chosen} for side in ("qemu", "husk")} for _ in range(2))
        self.wrong = []

    def add(self, side, item, cpu, output):
        """Finds the values of an item in the output of its command, for which the process had `cpu` seconds."""
        found = item.find(output)
        if not found:
            self.wrong.append(f"{side}: {item.name}")
            print(f"bench: {side}: no result of {item.name}:\n{output.strip()}", flush=True)
            return
        self.values[side][item.name].append(found[0])
        self.per_cpu[side][item.name].append(found[1] / cpu if cpu > 0 else None)

    def row(self, item):
        """A row of the table."""

        def median(values, side):
            known = [value for value in values[side][item.name] if value]
            return statistics.median(known) if known else None

        qemu, husk = median(self.values, "qemu"), median(self.values, "husk")
        per_cpu = {side: median(self.per_cpu, side) for side in ("qemu", "husk")}
        return {"name": item.name, "unit": item.unit, "qemu": qemu, "husk": husk,
                "vs_qemu": speed_ratio(husk, qemu, item.higher_is_better),
                "vs_qemu_per_cpu": speed_ratio(per_cpu["husk"], per_cpu["qemu"], True),
                "higher_is_better": item.higher_is_better, "per_cpu_second": per_cpu}  # fmt: skip


def _measure(measurement, side, guest, item, starts):
    """Runs an item in a guest. `starts`: CPU seconds of programs with nothing to do, of those that ran before."""
    if item.start not in starts:
        # The first time reads the program from its disk.
        starts[item.start] = [guest.run(f"chroot /tools {item.start}")[0].cpu for _ in range(2)][1]
    cost, output = guest.run(f"chroot /tools {item.command}")
    measurement.add(side, item, cost.cpu - starts[item.start], output)


def _run_side(measurement, side, argv, peer, chosen):
    """Starts a guest and measures all items in it, one after the other."""
    inside = peer.inside() if peer else []
    with Guest([*inside, *pin(), *argv], False) as guest:
        guest.child.timeout = PATIENCE
        for line in [*SET_UP, *([f"ifconfig eth0 {GUEST_ADDRESS} netmask 255.255.255.0 up"] if peer else [])]:
            guest.run(line)
        release, starts = guest.run("uname -r")[1].split()[-1], {}
        for item in chosen:
            print(f"    {item.name}", flush=True)
            try:
                _measure(measurement, side, guest, item, starts)
            except (pexpect.TIMEOUT, pexpect.EOF) as error:
                measurement.wrong.append(f"{side}: the guest does not answer: {item.name}")
                print(f"bench: {side}: {item.name}: {error}", flush=True)
                return release
    return release


def _print(result):
    around = result["environment"]
    print(f"\n{around['cpu']}, {around['cpus']} CPUs, load {around['load'][0]}; {around['qemu']}, machine malta")
    print(f"Kernels: {result['kernels']}. Ratios: how many times as fast husk is; the last, in the same CPU time.\n")
    rows = [(row["name"], row["unit"], *(number(row[key]) for key in ("qemu", "husk", "vs_qemu", "vs_qemu_per_cpu"))) for row in result["items"]]
    for name, unit, *values in (("", "", "QEMU", "husk", "/ QEMU", "/ QEMU, CPU"), *rows):
        print(f"  {name:24} {unit:8}" + "".join(f"{value:>14}" for value in values))
    for row in result["items"]:
        if row["vs_qemu"] and row["vs_qemu"] < GOAL:
            print(f"  {row['name']}: {row['vs_qemu']:.2f} x QEMU, {'at least' if row['vs_qemu'] >= BAR else 'less than'} {BAR}, goal {GOAL}")


def run(args, builder):
    """Measures, if something is chosen: returns "right", "wrong" or None."""
    chosen = [item for item in items(args.quick) if args.only in ("", "io") or args.only in item.name]
    if not chosen:
        return None
    machines, measurement = Machines(args, builder), Measurement(chosen)
    count = args.count or (1 if args.quick else ROUNDS)
    with Peer() as peer:
        if peer.error:
            print(f"bench: no network is measured: {peer.error}", flush=True)
            chosen = [item for item in chosen if not item.name.startswith("net-")]
        for number_, side in ((n, side) for n in range(count) for side in ("qemu", "husk")):
            print(f"  io, round {number_ + 1} of {count}: {side}", flush=True)
            net = None if peer.error else peer
            machines.kernels[side] = _run_side(measurement, side, machines.argv[side](net), net, chosen)
    report = Report(args.out, environment(QEMU))
    name = "io" if args.only in ("", "io") else "selected-io"
    rows = [measurement.row(item) for item in chosen]
    ratios = [row["vs_qemu"] for row in rows if row["vs_qemu"]]
    result = report.write(name, {"items": rows, "min_vs_qemu": min(ratios, default=None), "kernels": machines.kernels, "quick": args.quick,
                                 "wrong": measurement.wrong, "runs": measurement.values, "runs_per_cpu": measurement.per_cpu})  # fmt: skip
    _print(result)
    print(f"\nWritten: {args.out}/{name}.json")
    for line in measurement.wrong:
        print(f"bench: wrong: {line}")
    return "wrong" if measurement.wrong else "right"
