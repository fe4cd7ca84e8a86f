# SPDX-License-Identifier: BSD-2-Clause
"""Chooses the kernel modules that a configuration needs, with what they depend on, in the order of loading."""

import os
import re

from files import InputError

#: drivers of the devices that a configuration has
DRIVERS = {"VIRTIO_MMIO": "virtio_mmio", "VIRTIO_BLK": "virtio_blk", "VIRTIO_NET": "virtio_net",
           "VIRTIO_CONSOLE": "virtio_console", "VIRTIO_RNG": "virtio_rng"}  # fmt: skip


def wanted(values):
    """Names of the modules that a configuration asks for."""
    drivers = [module for symbol, module in DRIVERS.items() if values.get(symbol)]
    return drivers + values.get("GUEST_MODULES", "").split()


def collect(archive, package, names):
    """Returns [(file name, bytes)] of modules of a kernel package, each after those that it needs."""
    order, failed = [], []

    def add(name, needed_by):
        module = found.get(name)
        if module is None:
            if name not in builtin:
                failed.append((name, needed_by))
        elif module not in order:
            for other in [*_needs(module[1]), *(soft for soft in _prefers(module[1]) if soft in found)]:
                add(other, module[0])
            order.append(module)

    found, builtin = _load(archive, package, [_plain(name) for name in names])
    for name in names:
        add(_plain(name), "GUEST_MODULES")
    if failed:
        name, needed_by = failed[0]
        raise InputError(f"{package}: has no kernel module {name}, wanted by {needed_by}; correct GUEST_MODULES")
    return order


def _load(archive, package, names):
    """{name: (file name, bytes)} of modules and all that they may need, and the set of names built into the kernel."""
    found, asked, missing = {}, set(), set(names)
    while missing:
        asked |= missing
        for file, data in archive.files(package, [_pattern(name) for name in sorted(missing)]):
            found[_plain(file)] = (file, data)
        missing = {other for _, data in found.values() for other in _needs(data) + _prefers(data)} - asked
    text = archive.files(package, ["lib/modules/*/modules.builtin"])
    builtin = {_plain(os.path.basename(line)) for _, data in text for line in data.decode().splitlines()}
    return found, builtin


def _plain(name):
    """The name of a module as the kernel has it, of a file name or of what a user wrote."""
    return name.removesuffix(".ko").replace("-", "_")


def _pattern(name):
    """Where the file of a module is: - and _ are the same."""
    return "lib/modules/*/kernel/**/" + name.replace("_", "[-_]") + ".ko"


def _needs(data):
    """Names of the modules whose symbols this one uses."""
    names = re.search(rb"\0depends=([^\0]*)\0", data)
    return [_plain(name) for name in names[1].decode().split(",") if name] if names else []


def _prefers(data):
    """
    Names of the modules that are to be there before this one, if there are any: a "softdep" of its author. One may name
    an algorithm instead, whose plain implementation is NAME_generic.
    """
    names = [_plain(name) for text in re.findall(rb"\0softdep=pre: ([^\0]*)\0", data) for name in text.decode().split()]
    return [variant for name in names for variant in (name, name.removeprefix("crypto_") + "_generic")]
