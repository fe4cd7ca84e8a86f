# SPDX-License-Identifier: BSD-2-Clause
"""A computer in QEMU that stops at addresses: how long it takes from one to another.

Spoken is the remote protocol of QEMU's GDB stub (GDB manual, appendix E).
"""

import re
import socket
import subprocess
import time


class Stub:
    """QEMU's GDB stub, at the socket `path`; the computer waits for go_to()."""

    def __init__(self, command, path):
        self.process = subprocess.Popen([*map(str, command), "-S", "-chardev", f"socket,id=gdb,path={path},server=on,wait=off", "-gdb", "chardev:gdb"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # fmt: skip
        self.socket = socket.socket(socket.AF_UNIX)
        while self.socket.connect_ex(str(path)) != 0:
            if self.process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with status {self.process.returncode}")
            time.sleep(0.01)
        self.socket.sendall(b"+")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.kill()
        self.process.wait()

    def _ask(self, text):
        """Sends a packet; returns the answer."""
        self.socket.sendall(b"$%b#%02x" % (text.encode(), sum(text.encode()) & 0xFF))
        answer = b""
        while not (match := re.search(rb"\$([^#]*)#..", answer)):
            data = self.socket.recv(4096)
            if not data:
                raise RuntimeError(f"no answer to {text}")
            answer += data
        self.socket.sendall(b"+")
        return match[1].decode()

    def go_to(self, address):
        """Runs until an instruction is about to be executed; returns the seconds that took."""
        self._ask(f"Z1,{address:x},1")
        start = time.perf_counter()
        self._ask("c")
        took = time.perf_counter() - start
        self._ask(f"z1,{address:x},1")
        return took


def symbols(path):
    """Addresses of an ELF file's symbols by name."""
    text = subprocess.run(["nm", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: int(address, 16) for address, _, name in (line.split() for line in text.splitlines() if line[0] != " ")}
