# SPDX-License-Identifier: BSD-2-Clause
"""Runs of an image with the feature lockstep: its records as they come, and its whole state at the end."""

import os
import subprocess
import tempfile
from pathlib import Path

PARTS = ("registers", "CP0", "FPU", "TLB", "memory")


class Record:
    """Digests of the state after some instructions."""

    def __init__(self, line):
        words = line.split()
        self.instructions, self.pc = int(words[0]), int(words[1], 16)
        self.parts = dict(zip(PARTS, words[2:], strict=True))

    def differing(self, other):
        """Names of what differs."""
        names = [name for name in PARTS if self.parts[name] != other.parts[name]]
        if self.instructions != other.instructions:
            names.insert(0, "number of instructions")
        return names or (["pc"] if self.pc != other.pc else [])


class Run:
    """A run of an image that stops at FIRST, FIRST + STEP, ... and ends at LAST. As a context, it ends with it."""

    def __init__(self, image, stops, *options, dump=None):
        reader, writer = os.pipe()
        self.image = image
        self.log = tempfile.TemporaryFile()  # pylint: disable=consider-using-with
        command = [image.path, f"lockstep={writer}", "lockstep-at=" + ":".join(map(str, stops)), *image.options, *options]
        descriptors = [writer] + ([dump] if dump is not None else [])
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, pass_fds=descriptors)
        os.close(writer)
        self.lines = os.fdopen(reader)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.lines.close()
        self.log.close()

    def record(self):
        """The next one. There is always one more, or the run has failed."""
        line = self.lines.readline()
        if not line.endswith("\n"):
            self.log.seek(0)
            tail = self.log.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{self.image.name} ended before its time, with status {self.process.wait()}:\n{tail}")
        return Record(line)


class Image:
    """An image with the feature lockstep, and options for all of its runs."""

    def __init__(self, name, path, *options):
        self.name, self.path, self.options = name, Path(path), options

    def run(self, first, step, last):
        """Starts a run that writes records."""
        return Run(self, (first, step, last))

    def state(self, at, *options):
        """The whole state after `at` instructions."""
        with tempfile.TemporaryFile() as file:
            with Run(self, (at, 0, at), *options, f"lockstep-dump={file.fileno()}", dump=file.fileno()) as run:
                run.record()
                run.process.wait()
            return State(file)


class State:
    """The whole state that an image wrote: values by name, RAM, and where the guest is."""

    def __init__(self, file):
        self.values, self.facts, self.ram = {}, {}, []
        file.seek(0)
        while line := file.readline().decode():
            name, _, value = line.rstrip("\n").partition(" ")
            if name == "@ram":
                gpa, size = value.split()
                self.ram.append((int(gpa, 16), file.read(int(size))))
            elif name.startswith("@"):
                self.facts[name[1:]] = value
            else:
                self.values[name] = int(value, 16)

    def bytes_at(self, gpa, size):
        """Bytes of RAM at a guest physical address."""
        for start, data in self.ram:
            if start <= gpa < start + len(data):
                return data[gpa - start : gpa - start + size]
        return b""
