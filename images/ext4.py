# SPDX-License-Identifier: BSD-2-Clause
"""Writes a Tree (rootfs.py) as an ext4 file system, with e2fsprogs: the same tree gives the same bytes, without root."""

import os
import shutil
import stat
import subprocess
import tempfile

from files import InputError, sha256

#: a small file system needs no more of a journal
JOURNAL_MB = 4


def build(tree, size_mb, label, folder):
    """Bytes of the file system, up to its last byte that is not zero. `folder` is for temporary files."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        stage, image, script = (os.path.join(work, name) for name in ("stage", "image", "script"))
        _stage(tree, stage)
        seed = sha256("".join(f"{path}\0{sha256(node.data)}\0" for path, node in sorted(tree.nodes.items())).encode())
        newest = str(max(node.mtime for node in tree.nodes.values()))
        _run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-m", "0", "-O", "sparse_super2", "-L", label, "-U", _uuid(seed[:32]),
              "-J", f"size={JOURNAL_MB}", "-E", f"hash_seed={_uuid(seed[32:])},root_owner=0:0,num_backup_sb=0,lazy_itable_init=1,nodiscard",
              "-d", stage, image, f"{size_mb}M"], newest)  # fmt: skip
        with open(script, "w", encoding="utf-8") as file:
            file.writelines(_corrections(tree))
        _run(["debugfs", "-w", "-f", script, image], newest)
        shutil.rmtree(stage)
        with open(image, "rb") as file:
            return file.read().rstrip(b"\0")


def _uuid(digits):
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _stage(tree, stage):
    """The tree as files of the user."""
    os.mkdir(stage)
    for path, node in sorted(tree.nodes.items()):
        target = os.path.join(stage, path)
        if stat.S_ISDIR(node.mode):
            os.makedirs(target, exist_ok=True)
        elif stat.S_ISLNK(node.mode):
            os.symlink(node.data, target)
        else:
            with open(target, "wb") as file:
                file.write(node.data)
            os.chmod(target, 0o600)


def _corrections(tree):
    """Commands of debugfs for what the files on the build host cannot have: owners, modes and times."""
    for path, node in sorted(tree.nodes.items()):
        when = f"@{node.mtime}"
        values = {"mode": f"0{node.mode:o}", "uid": node.uid, "gid": node.gid, "atime": when, "ctime": when, "mtime": when,
                  "crtime": when, "atime_extra": 0, "ctime_extra": 0, "mtime_extra": 0, "crtime_extra": 0}  # fmt: skip
        for field, value in values.items():
            yield f'set_inode_field "/{path}" {field} {value}\n'
    for field in ("atime", "ctime", "mtime", "crtime"):
        yield f"set_inode_field /lost+found {field} @{tree.nodes[''].mtime}\n"


def _run(command, now):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              env={**os.environ, "LC_ALL": "C", "TZ": "UTC", "E2FSPROGS_FAKE_TIME": now,
                                   "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"})  # fmt: skip
    except FileNotFoundError as error:
        raise InputError(f"{command[0]}: not found; install Debian's package e2fsprogs") from error
    # debugfs ends well whatever happens; each command is echoed, errors are not.
    errors = [line for line in done.stderr.splitlines() if line and not line.startswith(("debugfs 1.", "mke2fs 1."))]
    if done.returncode != 0 or errors:
        why = (errors or done.stdout.splitlines() or ["no message"])[-1].strip()
        raise InputError(f"{command[0]} failed: {why}; if there is no room, raise ROOTFS_MB")
