#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the manifest of an image (JSON) and its SPDX 2.3 bill of materials.

Both depend only on the image, its configuration and its inputs: no date, user or path of this machine.
"""

import argparse
import hashlib
import os
import subprocess
import sys

sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import json  # noqa: E402

import config  # noqa: E402
import spdx  # noqa: E402
from files import InputError, read, sha256_file, to_json, write_if_changed  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
#: what of the source tree can influence an image
SOURCE = ("Kconfig", "Makefile", "arch", "core", "features", "images")


def source_digest():
    """SHA-256 over the names and contents of the sources, in a fixed order."""
    digest = hashlib.sha256()
    for path in sorted(_source_files()):
        name = os.path.relpath(path, TOP)
        digest.update(f"{sha256_file(path)}  {name}\n".encode())
    return digest.hexdigest()


def _source_files():
    for name in SOURCE:
        path = os.path.join(TOP, name)
        if os.path.isfile(path):
            yield path
        for folder, folders, names in os.walk(path):
            folders[:] = [f for f in folders if f != "__pycache__" and not f.startswith(".")]
            yield from (os.path.join(folder, n) for n in names if not n.startswith("."))


def compiler_version(command):
    """First line of `CC --version`."""
    done = subprocess.run([*command.split(), "--version"], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"})
    return done.stdout.splitlines()[0]


def build(args):
    """The manifest as a dictionary."""
    payload = json.loads(read(args.payload, "description of the payload"))
    values = config.load(args.config)
    libc_name, libc_version, libc_hash = args.libc.split(",")
    return {
        "husk": args.husk_version,
        "name": values.get("NAME", ""),
        "image": {"file": os.path.basename(args.image), "sha256": sha256_file(args.image), "size": os.path.getsize(args.image)},
        "configuration": values,
        "core_digest": args.core_digest,
        "source": {"sha256": source_digest(), "of": list(SOURCE)},
        "compiler": compiler_version(args.compiler),
        "libc": {"name": libc_name, "version": libc_version, "sha256": libc_hash},
        "payload": payload,
    }


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help=".config of the image")
    parser.add_argument("--payload", required=True, help="payload.json of the composer")
    parser.add_argument("--image", required=True, help="the image")
    parser.add_argument("--husk-version", required=True, help="release of husk")
    parser.add_argument("--core-digest", required=True, help="SHA-256 of the core's objects")
    parser.add_argument("--compiler", required=True, help="command of the compiler")
    parser.add_argument("--libc", required=True, help="NAME,VERSION,SHA256 of the C library's source")
    parser.add_argument("--out", required=True, help="manifest to write")
    parser.add_argument("--spdx", required=True, help="SPDX document to write")
    args = parser.parse_args()
    try:
        manifest = build(args)
        write_if_changed(args.spdx, to_json(spdx.document(manifest)))
        write_if_changed(args.out, to_json(manifest))
        os.utime(args.out)
    except InputError as error:
        sys.exit(f"images: {error}")


if __name__ == "__main__":
    main()
