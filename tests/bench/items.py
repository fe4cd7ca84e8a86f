# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: how it is run, alike in a guest and natively, and how its value is found in the output."""

import re
import subprocess
from dataclasses import dataclass

MEGABYTES = 8


@dataclass(frozen=True)
class Effort:
    """How much time is spent."""

    seconds: float  # of an item
    text_bytes: int  # for xz and gzip
    messages: int  # of hackbench, of each sender

    @property
    def openssl_seconds(self):
        """Its unit of time is a second."""
        return max(1, round(self.seconds))


FULL = Effort(0.4, MEGABYTES * 1000000, 200)
QUICK = Effort(0.1, 1000000, 40)


@dataclass(frozen=True)
class Item:
    """`command` is a list of words; {NAME} in it is where the program, or the text, is. `pattern` finds the value."""

    name: str
    unit: str
    higher_is_better: bool
    command: tuple
    pattern: str
    scale: float = 1

    def find(self, output):
        """(value, checksum or None) in what the command wrote; the value is None if there is none."""
        found = re.search(self.pattern, output)
        if not found:
            return None, None
        return float(found[1]) * self.scale, found.groupdict().get("checksum")


def own_items(bench, effort):
    """The items of the benchmark program."""
    listed = subprocess.run([bench, "-l"], text=True, stdout=subprocess.PIPE, check=True).stdout
    for name, unit, better in map(str.split, listed.splitlines()):
        yield Item(name, unit, better == "higher", ("{bench}", "-t", f"{effort.seconds}", "-n", name),
                   rf"(?m)^{name} ([\d.e+-]+) ")


def _openssl(name, words, pattern, unit, effort, scale=1.0):
    command = ("{openssl}", "speed", "-elapsed", "-seconds", f"{effort.openssl_seconds}", "-mr", *words)
    return Item(f"openssl-{name}", unit, True, command, pattern, scale)


def _debian(effort):
    """Debian's own programs."""
    bulk = r"\+F:\d+:\S+:([\d.]+)"
    for cipher in ("sha256", "aes-128-cbc"):
        yield _openssl(cipher, ("-bytes", "8192", "-evp", cipher), bulk, "MB/s", effort, 1e-6)
    yield _openssl("rsa2048", ("rsa2048",), r"\+F2:\d+:2048:([\d.]+)", "sign/s", effort)
    for name, options in (("xz", "-3"), ("gzip", "-6")):
        yield Item(name, "MB/s", True, ("{bench}", "-t", f"{effort.seconds}", "-x", name, f"{effort.text_bytes / 1e6}", f"{{{name}}}",
                                        *(("-n",) if name == "gzip" else ()), options, "-c", "{text}"),
                   rf"(?m)^{name} ([\d.e+-]+) MB/s checksum (?P<checksum>\d+)")  # fmt: skip
    yield Item("python3", "loops/s", True, ("{python3}", "-S", "{loop}", f"{effort.seconds}"), r"(?m)^python3 ([\d.e+-]+) ")
    yield Item("hackbench", "s", False, ("{hackbench}", "-p", "-g4", f"-l{effort.messages}"), r"Time: ([\d.]+)")


def all_items(bench, effort):
    """All of them; `bench` is the program, to ask."""
    return [*own_items(bench, effort), *_debian(effort)]
