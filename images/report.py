#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Say what is in an image: `make features` and `make size`.

Sizes come from the link map, so they are what was linked after the linker
dropped unused sections, before alignment between object files. Names and
purposes come from the descriptors in the image itself.
"""

import argparse
import collections
import re
import struct
import sys

from elftools.elf.elffile import ELFFile

DATA = (".data", ".bss", "COMMON", ".tdata", ".tbss")
CONSTANT = (".data.rel.ro",)
# " .text.bus_read  0x0000000000401000  0x5c /tmp/build/core/bus.o"; the linker
# breaks the line after a long section name.
INPUT = re.compile(r"^ (\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$")
LONG_NAME = re.compile(r"^ (\S+)$")


class Size:
    """Bytes of code and constants, and bytes of variables."""

    def __init__(self):
        self.text = 0
        self.data = 0


def fail(text):
    """End with one line that a user can act on."""
    sys.exit("report: " + text)


def input_sections(path):
    """Yield (section, size, object) of everything the map says was linked."""
    linked = False
    pending = ""
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            linked = linked or line.startswith("Linker script and memory map")
            if not linked:
                continue
            if LONG_NAME.match(line):
                pending = line
                continue
            match = INPUT.match(pending + line)
            pending = ""
            if match:
                yield match[1], int(match[3], 16), match[4]


def area_of(path, out, owners):
    """Name of the feature or the area that an object belongs to."""
    if re.search(r"lib(c|gcc|clang_rt\.builtins\S*)\.a\(", path):
        return "picolibc" if "libc.a(" in path else "libgcc"
    name = path.removeprefix(out + "/")
    if name in owners:
        return owners[name]
    return name.split("/", 1)[0] if name.startswith(("core/", "payload/")) else "image"


def kind_of(section):
    """'text', 'data' or None for sections that are not loaded."""
    if section.startswith(DATA) and not section.startswith(CONSTANT):
        return "data"
    if section.startswith((".debug", ".comment", ".symtab", ".strtab", ".shstrtab", ".stab")):
        return None
    return "text"


def sizes(map_path, out, owners):
    """Area name -> Size."""
    result = collections.defaultdict(Size)
    for section, size, path in input_sections(map_path):
        kind = kind_of(section)
        if kind is None or size == 0:
            continue
        area = result[area_of(path, out, owners)]
        setattr(area, kind, getattr(area, kind) + size)
    return result


class Image:
    """Reads constants of a linked image by address."""

    def __init__(self, path):
        with open(path, "rb") as file:
            elf = ELFFile(file)
            self.sections = [
                (s["sh_addr"], s.data())
                for s in elf.iter_sections()
                if s["sh_addr"] and s["sh_type"] != "SHT_NOBITS" and s["sh_flags"] & 2
            ]
            table = elf.get_section_by_name(".symtab")
            self.symbols = {s.name: s["st_value"] for s in table.iter_symbols()} if table else {}

    def bytes_at(self, address):
        """Everything from address to the end of its section."""
        for base, data in self.sections:
            if base <= address < base + len(data):
                return data[address - base:]
        fail(f"the image has nothing at address {address:#x}; is it from another build?")

    def pointers(self, address, count):
        """Values of consecutive 64-bit words."""
        return struct.unpack_from(f"<{count}Q", self.bytes_at(address))

    def string(self, address):
        """A C string."""
        return self.bytes_at(address).split(b"\0", 1)[0].decode()


def purposes(image):
    """Feature name -> purpose, from the descriptors (core/include/husk/feature.h)."""
    start = image.symbols.get("__start_husk_features", 0)
    stop = image.symbols.get("__stop_husk_features", 0)
    result = {}
    if stop > start:
        for descriptor in image.pointers(start, (stop - start) // 8):
            name, purpose = image.pointers(descriptor, 2)
            result[image.string(name)] = image.string(purpose)
    return result


def print_features(table, texts, features, digest):
    """The table of `make features`."""
    width = max(map(len, features + ["picolibc"]))
    print(f"{'feature':{width}}  {'text':>8}  {'data':>8}  purpose")
    rows = [(name, texts.get(name, "part of another feature")) for name in features]
    rows += [("core", "what every image carries"), ("picolibc", "C library"),
             ("libgcc", "helpers of the compiler"), ("image", "configured values and tables")]
    for name, purpose in rows:
        size = table.get(name)
        if size or name in features:
            size = size or Size()
            print(f"{name:{width}}  {size.text:8}  {size.data:8}  {purpose}")
    print(f"core digest {digest}")


def linked_size(path):
    """Bytes that the loadable sections of the image take, without the payload."""
    total = Size()
    with open(path, "rb") as file:
        for section in ELFFile(file).iter_sections():
            flags = section["sh_flags"]
            if flags & 2 and "payload" not in section.name:
                kind = "data" if flags & 1 else "text"
                setattr(total, kind, getattr(total, kind) + section["sh_size"])
    return total


def print_sizes(table, total):
    """The table of `make size`; what is in no area is space between them."""
    areas = {name: Size() for name in ("core", "features", "picolibc", "image")}
    for name, size in table.items():
        if name == "payload":
            continue
        name = {"libgcc": "picolibc"}.get(name, name if name in areas else "features")
        areas[name].text += size.text
        areas[name].data += size.data
    print(f"{'area':10}  {'text':>8}  {'data':>8}")
    for name, size in areas.items():
        print(f"{name:10}  {size.text:8}  {size.data:8}")
    rest_text = total.text - sum(size.text for size in areas.values())
    rest_data = total.data - sum(size.data for size in areas.values())
    print(f"{'alignment':10}  {rest_text:8}  {rest_data:8}")
    print(f"{'hypervisor':10}  {total.text:8}  {total.data:8}  "
          f"({total.text / 1024:.1f} KiB of text and rodata, payload not counted)")
    print(f"{'payload':10}  {table['payload'].text + table['payload'].data:8}")


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("features", "size"))
    parser.add_argument("out", help="build folder with husk.debug, husk.map, core/digest")
    parser.add_argument("objects", nargs="*", help="FEATURE:OBJECT for each object of each feature")
    args = parser.parse_args()

    owners = dict(reversed(pair.split(":", 1)) for pair in args.objects)
    table = sizes(args.out + "/husk.map", args.out, owners)
    if args.what == "size":
        print_sizes(table, linked_size(args.out + "/husk.debug"))
        return
    with open(args.out + "/core/digest", encoding="utf-8") as file:
        digest = file.read().strip()
    print_features(table, purposes(Image(args.out + "/husk.debug")), sorted(set(owners.values())), digest)


if __name__ == "__main__":
    main()
