# SPDX-License-Identifier: BSD-2-Clause
"""Where items are measured: natively, and in guests. All are pinned to the same CPU."""

import os
import shlex
import subprocess

import pexpect

from programs import LOOP, LOOP_SOURCE, PATHS
from prompt import Guest

QEMU = "qemu-system-mips64el"
#: the most that an item may take, in seconds
PATIENCE = 900
#: over which the clock of a guest is looked at
SLEEP_S = 2
#: OpenSSL without AES, SHA and carry-less multiplication instructions (OPENSSL_ia32cap(3)): guests have none either
NO_CRYPTO_INSTRUCTIONS = "~0x200000200000000:~0x20000000"


def pin(count=1):
    """Command that pins what follows to the last CPUs that we may use, so many."""
    return ["taskset", "-c", ",".join(map(str, sorted(os.sched_getaffinity(0))[-count:]))]


class Native:
    """The build host itself. Debian's programs run with the libraries that were fetched with them."""

    def __init__(self, bench, root, folder, text_bytes):
        """`bench`: the benchmark program; `root`: where Debian's programs are; `folder`: for files, in memory."""
        libraries = [root / path / "x86_64-linux-gnu" for path in ("lib", "usr/lib")]
        loader = [libraries[0] / "ld-linux-x86-64.so.2", "--library-path", ":".join(map(str, libraries))]
        self.words = {name: [*loader, root / path] for name, path in PATHS.items()}
        self.words |= {"bench": [bench, "-d", folder], "text": [folder / "text"], "loop": [LOOP_SOURCE]}
        self.env = os.environ | {"PYTHONHOME": str(root / "usr"), "OPENSSL_ia32cap": NO_CRYPTO_INSTRUCTIONS,
                                 "PYTHONDONTWRITEBYTECODE": "1"}
        with open(folder / "text", "wb") as file:
            subprocess.run([bench, "-g", str(text_bytes)], stdout=file, check=True)

    def stop(self):
        """There is nothing to stop."""

    def run(self, command):
        """Output of a command with {NAME}s."""
        words = [str(part) for word in command for part in self._expand(word)]
        done = subprocess.run([*pin(), *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.env,
                              timeout=PATIENCE, check=False)
        return done.stdout

    def _expand(self, word):
        return self.words[word[1:-1]] if word.startswith("{") else [word]


class Machine:
    """A guest, in husk or in QEMU."""

    words = {name: f"/{path}" for name, path in PATHS.items()} | {"bench": "bench", "text": "/tmp/text", "loop": f"/{LOOP}"}

    def __init__(self, argv, text_bytes):
        self.argv, self.text_bytes = argv, text_bytes
        self.guest = None
        self.wall = self.cpu = 0

    def _started(self):
        if not self.guest:
            self.guest = Guest([*pin(), *self.argv], False)
            self.guest.child.timeout = PATIENCE
            self.guest.run(f"bench -g {self.text_bytes} >/tmp/text")
        return self.guest

    def stop(self):
        """Ends it."""
        if self.guest:
            self.guest.child.close(force=True)
            self.guest = None

    def run(self, command):
        """Output of a command with {NAME}s. A guest that does not answer is started again for the next one."""
        line = shlex.join(self.words[word[1:-1]] if word.startswith("{") else word for word in command)
        try:
            cost, output = self._started().run(line)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            self.stop()
            return f"the guest does not answer: {error}"
        self.wall += cost.wall
        self.cpu += cost.cpu
        return output

    def cpu_share(self):
        """What part of the time that its items took it had the CPU; all of it if nothing else ran there."""
        return self.cpu / self.wall if self.wall else None

    def clock_error(self):
        """Per cent by which its clock is fast; None if it does not run."""
        return self.guest.clock_error(SLEEP_S) if self.guest else None
