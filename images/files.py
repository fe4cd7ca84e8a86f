# SPDX-License-Identifier: BSD-2-Clause
"""Small helpers for files, hashes and errors that the image tools share."""

import hashlib
import json
import os
import tempfile


class InputError(Exception):
    """Wrong input of the user. The text is one line: the file, the reason and the remedy."""


def sha256(data):
    """SHA-256 of some bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path):
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read(path, what):
    """Contents of a file that the user named; `what` says what it is for."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot read the {what} ({error.strerror}); correct the path") from error


def write(path, data):
    """Writes a file in one step, so that no reader ever sees half of it."""
    if isinstance(data, str):
        data = data.encode()
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_if_changed(path, data):
    """Writes a file unless it holds that already, so that make rebuilds only what changed."""
    if isinstance(data, str):
        data = data.encode()
    try:
        with open(path, "rb") as file:
            if file.read() == data:
                return
    except OSError:
        pass
    write(path, data)


def to_json(value):
    """JSON text that depends on nothing but the value."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"
