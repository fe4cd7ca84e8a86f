# SPDX-License-Identifier: BSD-2-Clause
"""Makes the device tree of a board, and reads what a custom one says about the initial RAM disk.

The source is preprocessed with macros named HUSK_*; 64-bit values also as NAME_HI and NAME_LO, because
cells have 32 bits. Format: Devicetree Specification 0.4, chapter 5.
"""

import os
import struct
import subprocess

from files import InputError

MAGIC = 0xD00DFEED
BEGIN_NODE, END_NODE, PROP, NOP = 1, 2, 3, 4


def macros(values, text):
    """-D options of cpp for {name without HUSK_: int or str}, and for {name: text of the source}."""
    options = [f"-DHUSK_{name}={source}" for name, source in text.items()]
    for name, value in values.items():
        if isinstance(value, str):
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            options.append(f'-DHUSK_{name}="{quoted}"')
        else:
            options.append(f"-DHUSK_{name}=0x{value:x}")
            options.append(f"-DHUSK_{name}_HI=0x{value >> 32:x}")
            options.append(f"-DHUSK_{name}_LO=0x{value & 0xFFFFFFFF:x}")
    return options


def build(source, include, values, text):
    """Bytes of the compiled tree; see macros()."""
    command = ["cpp", "-nostdinc", "-P", "-undef", "-x", "assembler-with-cpp", "-I", include, *macros(values, text), source]
    text = _run(command, source, b"")
    return _run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-"], source, text)


def _run(command, source, data):
    env = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False, env=env)
    except FileNotFoundError as error:
        raise InputError(f"{command[0]}: not found; install Debian's packages cpp and device-tree-compiler") from error
    if done.returncode != 0:
        raise InputError(f"{source}: {(done.stderr.decode().splitlines() or ['no message'])[0]}; correct the tree")
    return done.stdout


def check(name, data, limit):
    """Refuses what is not a device tree blob."""
    if len(data) < 40 or struct.unpack_from(">I", data)[0] != MAGIC:
        raise InputError(f"{name}: not a device tree blob (bad magic); compile it with dtc -I dts -O dtb")
    total, structure, strings = struct.unpack_from(">III", data, 4)
    if total > len(data) or structure >= total or strings > total:
        raise InputError(f"{name}: truncated, {len(data)} bytes of {total}; get the file again")
    if len(data) > limit:
        raise InputError(f"{name}: {len(data)} bytes, the board has room for {limit}; make the tree smaller")


def chosen(name, data):
    """{property: bytes} of the node /chosen."""
    try:
        return {prop: value for path, prop, value in _properties(data) if path == ["", "chosen"]}
    except (struct.error, ValueError, IndexError) as error:
        raise InputError(f"{name}: the device tree blob is damaged; compile it again") from error


def number(value):
    """The integer in a property of one or two cells."""
    return int.from_bytes(value, "big")


def _properties(data):
    """Yields (path of the node as a list, name, value) of every property."""
    at, strings = struct.unpack_from(">II", data, 8)
    path = []
    while True:
        token = struct.unpack_from(">I", data, at)[0]
        at += 4
        if token == BEGIN_NODE:
            end = data.index(b"\0", at)
            path.append(data[at:end].decode("latin-1"))
            at = (end + 4) & ~3
        elif token == PROP:
            size, offset = struct.unpack_from(">II", data, at)
            name = data[strings + offset : data.index(b"\0", strings + offset)].decode("latin-1")
            yield list(path), name, data[at + 8 : at + 8 + size]
            at = (at + 8 + size + 3) & ~3
        elif token == END_NODE:
            path.pop()
        elif token != NOP:
            return
