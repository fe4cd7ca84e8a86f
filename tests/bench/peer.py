# SPDX-License-Identifier: BSD-2-Clause
"""The other end of a guest's network: a network namespace of our own with a TAP interface, and iperf3 that listens there."""

import os
import subprocess

INTERFACE, ADDRESS, GUEST_ADDRESS = "tap0", "10.9.0.1", "10.9.0.2"
SET_UP = (f"ip tuntap add dev {INTERFACE} mode tap && ip address add {ADDRESS}/24 dev {INTERFACE} && "
          f"ip link set {INTERFACE} up && ip link set lo up && echo ready && exec cat")  # fmt: skip


class Peer:
    """The namespace lives as long as this object, or the program; it needs root, or user namespaces for everybody."""

    def __init__(self):
        user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
        self.holder = subprocess.Popen(["unshare", "--net", *user, "sh", "-c", SET_UP], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
        self.server = None
        self.error = None
        if self.holder.stdout.readline() != "ready\n":
            self.error = self.holder.stderr.read().strip() or "unshare does nothing"
            return
        # Guests have the last CPU that we may use: sides.pin().
        first = str(min(os.sched_getaffinity(0)))
        self.server = subprocess.Popen([*self.inside(), "taskset", "-c", first, "iperf3", "-s"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # fmt: skip

    def inside(self):
        """Command that runs what follows in the namespace."""
        user = [] if os.getuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(self.holder.pid), "--net", *user]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self.server, self.holder):
            if process:
                process.kill()
                process.wait()
