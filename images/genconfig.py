#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turn .config into what the build reads.

Writes into --out:
  config/SYMBOL.h  one header per symbol that Kconfig knows, so that an object
                   depends on exactly the values it uses; symbols that are off
                   are 0 or "";
  config.mk        the same values for make, and the Kconfig files as
                   prerequisites.
A file is written only if its text changes; headers of symbols that no longer
exist are removed.
"""

import argparse
import os
import re
import sys

SYMBOL = re.compile(r"^\s*(?:menu)?config\s+(\w+)\s*$")
DEFAULT = re.compile(r'^\s*default\s+("(?:[^"\\]|\\.)*"|\S+)')
TYPE = re.compile(r"^\s*(?:def_)?(bool|int|hex|string)\b")
SOURCE = re.compile(r'^\s*source\s+"?([^"\s]+)"?\s*$')
VALUE = re.compile(r"^CONFIG_(\w+)=(.*)$")


def fail(text):
    """End with one line that a user can act on."""
    sys.exit("genconfig: " + text)


class Symbol:
    """What is needed of a Kconfig symbol: its type and its first default."""

    def __init__(self):
        self.kind = "bool"
        self.default = None


def read_kconfig(path, symbols, files):
    """Collect symbols by name and the list of files, following `source`."""
    files.append(path)
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError as error:
        fail(f"{path}: {error.strerror}; create it or remove its `source` line")
    symbol = None
    for line in lines:
        if match := SYMBOL.match(line):
            symbol = symbols.setdefault(match[1], Symbol())
        elif match := SOURCE.match(line):
            read_kconfig(match[1], symbols, files)
            symbol = None
        elif symbol and (match := TYPE.match(line)):
            symbol.kind = match[1]
        elif symbol and symbol.default is None and (match := DEFAULT.match(line)):
            symbol.default = match[1]
    return symbols, files


def first_default(name, symbols):
    """The first default of a symbol; another symbol there stands for its own."""
    default = symbols[name].default
    return first_default(default, symbols) if default in symbols else default


def read_config(path):
    """Values of a .config as a dictionary of raw text."""
    with open(path, encoding="utf-8") as file:
        return dict(m.groups() for m in map(VALUE.match, file.read().splitlines()) if m)


def c_value(kind, raw):
    """The value as a C token."""
    if kind == "bool":
        return "1" if raw == "y" else "0"
    if kind == "string":
        return raw if raw is not None else '""'
    return raw if raw else "0"


def unquote(raw):
    """Text of a quoted Kconfig string."""
    return re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw.startswith('"') else raw


def make_line(name, raw):
    """An assignment that gives make exactly this text."""
    text = unquote(raw).replace("$", "$$").replace("#", "\\#")
    return f"CONFIG_{name} := {text}\n"


def write_if_changed(path, text):
    """Write text to path unless it holds it already."""
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def write_headers(folder, symbols, values):
    """One header per symbol; nothing else stays in the folder."""
    for name, symbol in symbols.items():
        text = f"#define CONFIG_{name} {c_value(symbol.kind, values.get(name))}\n"
        write_if_changed(os.path.join(folder, name + ".h"), text)
    for entry in os.listdir(folder):
        if entry.removesuffix(".h") not in symbols:
            os.unlink(os.path.join(folder, entry))


def make_fragment(target, values, files):
    """Text of config.mk; the phony rules keep a removed Kconfig file from stopping make."""
    lines = [make_line(name, raw) for name, raw in sorted(values.items())]
    lines.append(f"{target}: {' '.join(files)}\n")
    lines += [f"{path}:\n" for path in files]
    return "".join(lines)


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help=".config to read")
    parser.add_argument("--kconfig", default="Kconfig", help="top Kconfig file")
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--defaults", action="store_true",
                        help="give numbers and strings that are off their first default (for unit tests)")
    args = parser.parse_args()

    symbols, files = read_kconfig(args.kconfig, {}, [])
    values = read_config(args.config)
    for name in values:
        if name not in symbols:
            fail(f"{args.config}: Kconfig has no symbol {name}; run `make olddefconfig`")
    if args.defaults:
        off = {name: first_default(name, symbols) for name, s in symbols.items() if s.kind != "bool" and s.default}
        values = off | values
    write_headers(os.path.join(args.out, "config"), symbols, values)
    target = os.path.join(args.out, "config.mk")
    with open(target, "w", encoding="utf-8") as file:
        file.write(make_fragment(target, values, files))


if __name__ == "__main__":
    main()
