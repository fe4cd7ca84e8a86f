# SPDX-License-Identifier: BSD-2-Clause
"""Reads .config, as Kconfig wrote it."""

import os
import re

from files import InputError, read


def load(path):
    """Returns {symbol without CONFIG_: True, False, int or str}."""
    values = {}
    for line in read(path, "configuration").decode().splitlines():
        if match := re.fullmatch(r"# CONFIG_(\w+) is not set", line):
            values[match[1]] = False
        elif match := re.fullmatch(r"CONFIG_(\w+)=(.*)", line):
            values[match[1]] = _value(match[2])
    return values


def _value(text):
    if text == "y":
        return True
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return int(text, 0)


def chosen(values, prefix, names):
    """The one of `names` whose symbol prefix + NAME is set."""
    for name in sorted(names):
        if values.get(prefix + name.upper().replace("-", "_")) is True:
            return name
    raise InputError(f".config: no {prefix}* choice is set; run make olddefconfig")


def machines(top):
    """Names of the boards: the folders features/machine-NAME."""
    start = "machine-"
    return [name[len(start):] for name in os.listdir(os.path.join(top, "features")) if name.startswith(start)]
