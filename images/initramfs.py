# SPDX-License-Identifier: BSD-2-Clause
"""Makes the initramfs: busybox and the files under images/initramfs, as a gzipped newc cpio archive.

The same files give the same bytes: names are sorted, owners are root, times are zero, modes are set here.
"""

import gzip
import os
import stat
from pathlib import PurePosixPath

SKELETON = os.path.join(os.path.dirname(os.path.abspath(__file__)), "initramfs")
FOLDERS = ("bin", "dev", "etc", "etc/init.d", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin")
#: busybox makes the links of its commands when the guest starts; these are needed before
LINKS = {"bin/sh": "busybox", "sbin/init": "../bin/busybox"}
EXECUTABLE = ("etc/init.d/rcS", "init")


class Cpio:
    """Writes entries of a newc cpio archive (Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self):
        self.parts = []
        self.size = 0
        self.inode = 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        """Adds an entry; for symbolic links the data is the target."""
        self.inode += 1
        links = 2 if stat.S_ISDIR(mode) else 1
        path = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(path), 0)
        self._append(b"070701" + b"".join(b"%08X" % field for field in fields) + path)
        self._append(data)

    def finish(self):
        """The whole archive."""
        self.inode = -1
        self.add("TRAILER!!!", 0)
        return b"".join(self.parts)

    def _append(self, data):
        padded = data + bytes(-(self.size + len(data)) % 4)
        self.parts.append(padded)
        self.size += len(padded)


def _skeleton():
    """{name: bytes} of the files under images/initramfs."""
    files = {}
    for folder, _, names in os.walk(SKELETON):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                files[os.path.relpath(path, SKELETON)] = file.read()
    return files


def build(busybox, modules=(), more=None):
    """
    Bytes of the compressed archive around the busybox binary. `modules` are (file name, bytes) of kernel modules in
    the order of loading, which is that of their names in the archive. `more` has further files: {path: (mode, bytes)};
    for symbolic links the bytes are the target.
    """
    entries = {name: (stat.S_IFDIR | 0o755, b"", (0, 0)) for name in FOLDERS}
    entries["bin/busybox"] = (stat.S_IFREG | 0o755, busybox, (0, 0))
    entries["dev/console"] = (stat.S_IFCHR | 0o600, b"", (5, 1))
    if modules:
        entries |= {name: (stat.S_IFDIR | 0o755, b"", (0, 0)) for name in ("lib", "lib/modules")}
    for index, (name, data) in enumerate(modules):
        entries[f"lib/modules/{index:02}-{name}"] = (stat.S_IFREG | 0o644, data, (0, 0))
    for name, target in LINKS.items():
        entries[name] = (stat.S_IFLNK | 0o777, target.encode(), (0, 0))
    for name, data in _skeleton().items():
        entries[name] = (stat.S_IFREG | (0o755 if name in EXECUTABLE else 0o644), data, (0, 0))
    for name, (mode, data) in (more or {}).items():
        for folder in list(PurePosixPath(name).parents)[:-1]:
            entries.setdefault(str(folder), (stat.S_IFDIR | 0o755, b"", (0, 0)))
        entries[name] = (mode, data, (0, 0))
    archive = Cpio()
    for name in sorted(entries):
        archive.add(name, *entries[name])
    return gzip.compress(archive.finish(), 9, mtime=0)
