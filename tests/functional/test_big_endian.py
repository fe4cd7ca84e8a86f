# SPDX-License-Identifier: BSD-2-Clause
"""Both byte orders of the guest, by one small kernel that checks the machine it runs on; see guests/checks.c."""

import re

import pytest

from guest import Guest, small_guest

CHECKS = """
    Config.BE, device tree, lb, lbu, lh, lhu, lw, lwu, ld, lwl lwr, ldl ldr, sb, sh, sw, sd, swl swr, sdl sdr, ll sc, lld scd,
    breakpoint, system call, overflow, TLB miss, unaligned load, timer interrupts, FPU, program in user mode,
    code rewritten with cache operations, code rewritten, code across pages rewritten with cache operations, code across pages rewritten,
    code ahead rewritten, branch target rewritten in the delay slot, code behind a branch not taken rewritten in the delay slot,
    code generator in user mode with cache operations, code generator in user mode,
    interrupts in a loop of one block, interrupts in a loop of several blocks, interrupts in a loop of indirect jumps,
    interrupts in a loop of branches likely, key
"""


#: other ways to execute it than the default
EXECUTION = {
    "interp": {"ENGINE_INTERP": True},
    "bare": {"BLOCK_LINKING": False, "INDIRECT_CACHE": False, "RETURN_STACK": False, "SUPERBLOCKS": False, "ACCESS_GROUPS": False},
    "unlinked": {"BLOCK_LINKING": False},
    "icount": {"TIMER_ICOUNT": True},
}


@pytest.mark.parametrize("big_endian", [True, False], ids=["big", "little"])
@pytest.mark.parametrize("board", ["virt", "octeon"])
def test_kernel_is_content(board, big_endian):
    """Memory, boot protocol, exceptions, timer, UART, user mode and changing code are as the byte order wants them."""
    is_content(small_guest(board, big_endian), big_endian)


@pytest.mark.parametrize("kind", EXECUTION)
def test_kernel_is_content_with(kind):
    """The same for the interpreter, and for a translator that lacks something."""
    is_content(small_guest("virt", kind=kind, **EXECUTION[kind]), False)


def is_content(image, big_endian):
    """Runs the kernel's checks."""
    with Guest(image / "husk") as guest:
        text = guest.see("key? ")
        guest.type("k")
        text += guest.end()
        order = "big endian" if big_endian else "little endian"
        results = re.findall(r"^(ok|FAILED) (.*?)\r$", text, re.M)
        assert [name for result, name in results if result != "ok"] == []
        assert list(dict.fromkeys(name for _, name in results)) == [order, *re.split(r",\s+", CHECKS.strip())]
        assert "done\r\n" in text
        # It ran a program, so that waiting with interrupts off is a power-off.
        assert re.search(r"husk: the guest waits with interrupts off at \w+ \(give_up\+0x\w+\): a power-off\r", text)
        assert guest.status == 0


def test_board_tells_its_order():
    """The monitor knows the byte order."""
    with Guest(small_guest("virt", True) / "husk") as guest:
        guest.see("key? ")
        guest.type("\x01c")
        guest.see("(husk) ")
        guest.type("info devices\r")
        guest.match(r"virt: .*, big endian")
