#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Composes the payload: gets or checks kernel, initrd, device tree and command line, and places them.

Writes into --out: the parts, payload.S and payload_table.c that put them into the image, and payload.json
that names every input. Files are written only when they change.
"""

import argparse
import dataclasses
import os
import sys
import tomllib

sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import config  # noqa: E402
import debian  # noqa: E402
import dtb  # noqa: E402
import elf  # noqa: E402
import ext4  # noqa: E402
import initramfs  # noqa: E402
import layout  # noqa: E402
import modules  # noqa: E402
import rootfs  # noqa: E402
import slots  # noqa: E402
import unpack  # noqa: E402
import x86  # noqa: E402
from files import InputError, read, sha256, to_json, write_if_changed  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RECIPES = os.path.join(TOP, "images", "recipes")


@dataclasses.dataclass
class Part:
    """A part of the payload; `facts` are what payload.json says besides name, size and hash."""

    kind: str
    name: str
    data: bytes
    gpa: int = 0
    facts: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Inputs:
    """What a recipe brought: Parts, or None."""

    kernel: Part
    initrd: Part | None
    tree: Part | None
    disk: Part | None = None


class Composer:
    """One composition."""

    def __init__(self, arguments):
        self.args = arguments
        self.values = config.load(arguments.config)
        self.big_endian = self.values.get("GUEST_BIG_ENDIAN", False)
        self.recipe = config.chosen(self.values, "IMAGE_", [n[:-5] for n in os.listdir(RECIPES) if n.endswith(".toml")])
        name = config.chosen(self.values, "MACHINE_", config.machines(TOP))
        self.folder = os.path.join(TOP, "features", "machine-" + name)
        self.board = layout.Board(name, os.path.join(self.folder, "board.json"))
        self.cmdline = check_cmdline(self.values.get("GUEST_CMDLINE", ""), self.board)
        self.pins = {}
        self.beside = []

    def compose(self):
        """Does it all."""
        inputs = self._custom() if self.recipe == "custom" else self._debian()
        parts = self._x86(inputs) if self.board.machine == elf.EM_X86_64 else self._mips(inputs)
        self._write(parts)

    # --- kernels

    def _mips(self, inputs):
        """The Parts of a MIPS kernel, which may have another inside."""
        kernel = elf.parse(inputs.kernel.name, inputs.kernel.data, self.big_endian, self.board)
        inner = unpack.unpack(kernel) if unpack.is_wrapper(kernel) else None
        inside = None
        if inner:
            start = inner.load & elf.MIPS_PHYSICAL
            inside = layout.Range(start, start + inner.memsz, "kernel unpacked from " + kernel.name)
        segments = [] if inner and self.values.get("IMAGE_UNPACK") else kernel.segments
        ranges = layout.kernel_ranges(self.board, kernel.name, segments, inside, self.cmdline)
        parts = self._place(inputs, ranges)
        if inner and self.values.get("IMAGE_UNPACK"):
            self._replace_by_inner(inputs.kernel, unpack.to_elf(kernel, inner))
        return parts

    def _x86(self, inputs):
        """The Parts of an x86-64 kernel: a bzImage, the ELF file inside one, or an ELF file."""
        part = inputs.kernel
        if x86.is_bzimage(part.data):
            x86.check_bzimage(part.name, part.data)
            if not self.values.get("IMAGE_UNPACK"):
                return self._place(inputs, [x86.bzimage_range(part.name, part.data)])
            self._replace_by_inner(part, x86.unpack(part.name, part.data))
        kernel = elf.parse(part.name, part.data, False, self.board)
        x86.check_pvh(kernel)
        if "unpacked_from" in part.facts:
            part.data = x86.strip(kernel)
        return self._place(inputs, layout.kernel_ranges(self.board, kernel.name, kernel.segments, None, self.cmdline))

    # --- inputs

    def _debian(self):
        """Kernel and busybox of a recipe."""
        with open(os.path.join(RECIPES, self.recipe + ".toml"), "rb") as file:
            recipe = tomllib.load(file)
        if recipe["machine"] != self.board.name:
            raise InputError(f"recipe {self.recipe} is for the board {recipe['machine']}, not {self.board.name}; choose another")
        pins = os.path.join(self.args.out, "packages.json")
        lock = None if self.args.write_lock else self.args.lock
        archive = debian.Archive(self.args.cache, recipe["suite"], recipe["architecture"], pins, lock)
        kernel = self._from_package(archive, "kernel", recipe["kernel"])
        busybox = self._from_package(archive, "busybox", recipe["busybox"])
        loaded = modules.collect(archive, recipe["kernel"]["package"], modules.wanted(self.values))
        disk = self._rootfs(archive) if self.values.get("ROOTFS_DEBIAN") else None
        archive.save_pins()
        self.pins = archive.pins
        made = Part("initrd", "initramfs.cpio.gz", initramfs.build(busybox.data, loaded))
        made.facts["made_from"] = [{"name": busybox.name, "sha256": sha256(busybox.data), **busybox.facts}]
        made.facts["made_from"] += [{"name": name, "sha256": sha256(data), **kernel.facts} for name, data in loaded]
        return Inputs(kernel, made, None, disk)

    def _rootfs(self, archive):
        """A disk with Debian on it."""
        packages = archive.with_dependencies(rootfs.wanted(self.values), "rootfs")
        print(f"  ROOTFS  {len(packages)} packages", flush=True)
        os.makedirs(self.args.out, exist_ok=True)
        data = ext4.build(rootfs.build(packages, self.values), self.values["ROOTFS_MB"], "husk-root", self.args.out)
        source = {"suite": archive.suite, "architecture": archive.architecture}
        made = [{"name": f"{pin['package']}.deb", "package_sha256": pin["sha256"], **pin, **source} for pin, _ in packages]
        return Part("disk", "rootfs.ext4", data, facts={"made_from": made})

    def _from_package(self, archive, kind, wanted):
        pin, name, data = archive.file(wanted["package"], wanted["file"])
        source = {"package": pin["package"], "version": pin["version"], "package_sha256": pin["sha256"]}
        return Part(kind, name, data, facts={**source, "suite": archive.suite, "architecture": archive.architecture})

    def _custom(self):
        """The files that the user named."""
        if not self.values.get("CUSTOM_KERNEL"):
            raise InputError("CUSTOM_KERNEL is not set; name the kernel file with make menuconfig, under Guest image")
        return Inputs(*(self._custom_file(kind) for kind in ("kernel", "initrd", "dtb", "disk")))

    def _custom_file(self, kind):
        path = self.values.get("CUSTOM_" + kind.upper())
        if not path:
            return None
        # The folder says nothing about the file, and is another one on another machine.
        return Part(kind, os.path.basename(path), read(os.path.join(TOP, os.path.expanduser(path)), kind))

    # --- placement

    def _place(self, inputs, ranges):
        """Places everything beside the kernel's ranges and returns the Parts of the payload."""
        if inputs.tree:
            dtb.check(inputs.tree.name, inputs.tree.data, self.board.dtb_max)
        initrd = self._initrd(inputs)
        placed = layout.place(self.board, self.values["RAM_MB"], ranges, initrd)
        if inputs.initrd:
            inputs.initrd.gpa = placed.initrd
            self._check_tree_has_initrd(inputs, placed.initrd)
        tree = inputs.tree
        if self.board.dts:
            tree = tree or Part("dtb", self.board.name + ".dtb", self._build_tree(inputs.initrd))
            tree.gpa = placed.dtb
            dtb.check(tree.name, tree.data, self.board.dtb_max)
        cmdline = Part("cmdline", "cmdline", self.cmdline.encode())
        return [part for part in (inputs.kernel, inputs.initrd, tree, cmdline, self._disk(inputs)) if part]

    def _disk(self, inputs):
        """The disk as part of the payload, or None if there is none or it is a file beside the image."""
        disk = inputs.disk
        if disk is None or not self.values.get("ROOTFS_FILE"):
            return disk
        path = os.path.join(self.args.out, "rootfs.ext4")
        write_if_changed(path, disk.data)
        os.truncate(path, self.values["ROOTFS_MB"] * layout.MIB)
        self.beside = [describe(disk)]
        return None

    def _initrd(self, inputs):
        """What layout.place() wants to know of the initial RAM disk."""
        if not inputs.initrd:
            return None
        if not inputs.initrd.data:
            raise InputError(f"{inputs.initrd.name}: the initrd is empty; correct CUSTOM_INITRD, or clear it to have none")
        initrd = layout.Initrd(inputs.initrd.name, len(inputs.initrd.data))
        if given := layout.custom_initrd(self.cmdline):
            initrd.at, size = given
            if size != initrd.size:
                raise InputError(f"GUEST_CMDLINE: rd_size= does not match {initrd.name}; set rd_size={initrd.size}")
        elif inputs.tree:
            chosen = dtb.chosen(inputs.tree.name, inputs.tree.data)
            if "linux,initrd-start" in chosen:
                initrd.at = dtb.number(chosen["linux,initrd-start"])
        return initrd

    def _check_tree_has_initrd(self, inputs, start):
        """A custom device tree must say where the initial RAM disk is, unless the command line does."""
        if not inputs.tree or layout.custom_initrd(self.cmdline):
            return
        end = start + len(inputs.initrd.data)
        chosen = dtb.chosen(inputs.tree.name, inputs.tree.data)
        if dtb.number(chosen.get("linux,initrd-start", b"")) != start or dtb.number(chosen.get("linux,initrd-end", b"")) != end:
            raise InputError(
                f"{inputs.tree.name}: the tree does not say where {inputs.initrd.name} is; in its node chosen set"
                f" linux,initrd-start to 0x{start:x} and linux,initrd-end to 0x{end:x}"
            )

    def _build_tree(self, initrd):
        values = {"COUNTER_HZ": self.values["COUNTER_HZ"], "VCPUS": self.values.get("VCPUS", 1), "CMDLINE": self.cmdline}
        for index, ram in enumerate(self.board.ram_ranges(self.values["RAM_MB"] * layout.MIB)):
            values[f"RAM{index}_BASE"], values[f"RAM{index}_SIZE"] = ram.start, ram.end - ram.start
        if initrd:
            values["INITRD_START"], values["INITRD_END"] = initrd.gpa, initrd.gpa + len(initrd.data)
        text = {"SLOTS": slots.nodes(self.board, slots.count(self.values, self.board))}
        return dtb.build(os.path.join(self.folder, self.board.dts), self.args.gen, values, text)

    @staticmethod
    def _replace_by_inner(part, data):
        """Embeds the kernel that was inside a self-decompressing one."""
        part.facts["unpacked_from"] = {"name": part.name, "sha256": sha256(part.data), "size": len(part.data)}
        part.data = data
        part.name = part.name.replace("vmlinuz", "vmlinux")

    # --- results

    def _write(self, parts):
        os.makedirs(self.args.out, exist_ok=True)
        for part in parts:
            # C code reads the command line as a string.
            end = b"\0" if part.kind == "cmdline" else b""
            write_if_changed(os.path.join(self.args.out, part.kind), part.data + end)
        inputs = [describe(part) for part in parts]
        summary = {"recipe": self.recipe, "machine": self.board.name, "ram_mb": self.values["RAM_MB"], "parts": inputs}
        if self.beside:
            summary["beside"] = self.beside
        write_if_changed(os.path.join(self.args.out, "payload.json"), to_json(summary))
        write_if_changed(os.path.join(self.args.out, "payload.S"), assembly(parts))
        write_if_changed(os.path.join(self.args.out, "payload_table.c"), table(self.recipe, parts))


def check_cmdline(cmdline, board):
    """Returns the command line if the kernel can take it."""
    if len(cmdline) > board.cmdline_max:
        raise InputError(
            f"GUEST_CMDLINE: {len(cmdline)} characters, the kernel takes at most {board.cmdline_max}; shorten it"
        )
    if not (cmdline.isascii() and (cmdline.isprintable() or not cmdline)):
        raise InputError("GUEST_CMDLINE: has characters that are not printable ASCII; remove them")
    return cmdline


def describe(part):
    """A part as payload.json has it."""
    return {"kind": part.kind, "name": part.name, "size": len(part.data), "sha256": sha256(part.data),
            "gpa": f"0x{part.gpa:x}", **part.facts}  # fmt: skip


def assembly(parts):
    """Text of payload.S. The hashes make it differ when only the contents of a part do."""
    text = "/* Generated by images/compose.py: the parts of the payload, each in a section of its own. */\n"
    for part in parts:
        symbol = f"husk_payload_{part.kind}"
        text += f"""
/* {part.name}, SHA-256 {sha256(part.data)} */
	.section .payload.{part.kind}, "a", @progbits
	.balign 4096
	.globl {symbol}
	.type {symbol}, @object
{symbol}:
	.incbin "{part.kind}"
	.size {symbol}, . - {symbol}
"""
    return text + '\n\t.section .note.GNU-stack, "", @progbits\n'


def table(recipe, parts):
    """Text of payload_table.c."""
    text = "/* Generated by images/compose.py: the table of the payload. */\n#include <husk/payload.h>\n\n"
    text += "".join(f"extern const uint8_t husk_payload_{part.kind}[];\n" for part in parts)
    text += "\nstatic const struct payload_part parts[] = {\n"
    for part in parts:
        name = part.name.replace("\\", "\\\\").replace('"', '\\"')
        text += (
            f'\t{{ .kind = PAYLOAD_{part.kind.upper()}, .name = "{name}", .data = husk_payload_{part.kind},\n'
            f"\t  .size = {len(part.data)}u, .gpa = 0x{part.gpa:x}u }},\n"
        )
    text += f'}};\n\nconst struct payload husk_payload = {{ .recipe = "{recipe}", .parts = parts, .count = {len(parts)} }};\n'
    return text


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help=".config to follow")
    parser.add_argument("--gen", required=True, help="folder with generated headers, for device tree sources")
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--cache", required=True, help="folder that keeps downloads")
    parser.add_argument("--lock", help="file that pins packages")
    parser.add_argument("--write-lock", action="store_true", help="write the packages used to --lock instead of following it")
    args = parser.parse_args()
    try:
        if args.write_lock and not args.lock:
            raise InputError("no lock file named; use IMAGES_LOCK=FILE")
        composer = Composer(args)
        composer.compose()
        if args.write_lock:
            debian.write_lock(args.lock, composer.pins)
    except InputError as error:
        sys.exit(f"images: {error}")
    except KeyboardInterrupt:
        sys.exit("images: interrupted")


if __name__ == "__main__":
    main()
