# SPDX-License-Identifier: BSD-2-Clause
"""`make run` as a user types it: on a terminal, with every key going to the image."""

import os
import termios

import pexpect
import pytest

from conftest import TREE

CTRL_A_X = "\x01x"


def start(built, config, *arguments):
    """Starts `make run` for a configuration on a new terminal; returns it with that terminal's settings."""
    out = built(config)
    child = pexpect.spawn(os.environ.get("HUSK_MAKE", "make"),
                          ["-C", str(TREE), f"O={out}", "run", *os.environ.get("HUSK_VARIABLES", "").split(), *arguments],
                          timeout=180, encoding="utf-8", codec_errors="replace", echo=True,
                          env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
    return child, termios.tcgetattr(child.child_fd)


def is_raw(child):
    """True while neither Ctrl-C nor line editing is done by the terminal."""
    return not termios.tcgetattr(child.child_fd)[3] & (termios.ISIG | termios.ICANON | termios.ECHO)


@pytest.mark.parametrize("config", ["linux_virt", "pc_octeon"])
def test_keys_and_terminal(built, config):
    """The terminal is raw during the run, Ctrl-A x ends it with status 0, and the terminal is as before."""
    child, before = start(built, config)
    child.expect(r"husk: features .*host-")
    child.expect("Linux version")
    assert is_raw(child)
    child.send(CTRL_A_X)
    child.expect(pexpect.EOF)
    after = termios.tcgetattr(child.child_fd) if child.child_fd >= 0 else before
    child.close()
    assert child.exitstatus == 0
    assert after == before
