# SPDX-License-Identifier: BSD-2-Clause
"""A guest that fails is diagnosed: one report says where it is and what it did, by a small kernel that fails in many ways.

The image reports silence after 5 s; a report ends the run where it is configured to.
"""

import re

import pytest

from guest import Guest, in_mode, run_script, small_guest

QUIT = "\x01x"
END = "---- end of report ----"


@pytest.fixture(scope="module", name="image")
def build_image():
    """Image for the board virt that ends after a crash."""
    return small_guest("virt") / "husk"


@pytest.fixture(name="failing")
def start_failing(image, tmp_path):
    """failing("e") starts the image with its guest in that mode; see guests/guest.c."""
    started = []

    def start(mode, *arguments, of=image):
        started.append(Guest(in_mode(of, mode, tmp_path), *arguments))
        return started[-1]

    yield start
    for guest in started:
        guest.__exit__()


def check_report(text, why, symbol):
    """One report, for that reason, with PC and nearest symbol, state and last accesses."""
    assert text.count("---- report about vCPU 0 ----") == 1
    assert re.search(rf"husk: (error|warning): the guest {why}", text), text
    assert re.search(rf"^pc  0xffffffff801\w+ \({symbol}\+0x\w+\)\r$", text, re.M), text
    assert re.search(r"^kernel mode, Status [0-9a-f]{8} Cause [0-9a-f]{8} EPC [0-9a-f]{16}", text, re.M)
    assert re.search(r"^last device accesses \(\d+ since the guest started", text, re.M)
    assert "what to try:" in text


def test_exception_loop(failing):
    """Exceptions within exceptions end the run with status 3; the first one is still told."""
    guest = failing("e")
    guest.see_line("falling")
    text = guest.end()
    check_report(text, "takes exceptions within exceptions without end; the run ends", "broken_vectors")
    assert re.search(r"^  breakpoint +EPC ffffffff801\w+ ", text, re.M)
    assert re.search(r"^  TLB load +EPC ffffffff801\w+ BadVAddr 0{16} .*, \d+ times more\r$", text, re.M)
    assert re.search(r"^epc 0xffffffff801\w+ \(fall_into_exceptions\+0x\w+\)\r$", text, re.M)
    assert (guest.status, guest.restored) == (3, True)


def test_wait_with_interrupts_off(failing):
    """A guest that gives up before it ran any program ends the run with status 3."""
    guest = failing("g")
    guest.see_line("giving up")
    text = guest.end()
    check_report(text, "waits with interrupts off and has never run a program.*; the run ends", "give_up")
    assert re.search(r"^  write 1 bytes at 0x1f000900 uart0\+0x0: 0xa\r$", text, re.M)
    assert guest.status == 3


@pytest.mark.parametrize("mode, symbol, why, said", [
    ("s", "sleep_silently", "has printed nothing since it started", ""),
    ("p", "spin", "is silent and never idles", "spinning"),
])
def test_silence(failing, mode, symbol, why, said):
    """A guest that never prints, or hangs after it did, is reported; the run goes on until the user ends it."""
    guest = failing(mode)
    text = guest.see(END)
    assert said in text
    check_report(text, why, symbol)
    assert "Ctrl-A x ends the run" in text
    guest.type("\x01c")
    guest.see("(husk) ")
    guest.type("info stats\r")
    guest.match(r"vCPU 0: \d+ instructions")
    guest.type(QUIT)
    assert END not in guest.end()
    assert guest.status == 0


def test_crashed_guest_stays_to_be_looked_at(failing):
    """Where a crash does not end the run, the report comes once, and the monitor shows the guest as it is."""
    stays = small_guest("virt", DIAGNOSE_EXIT=False) / "husk"
    for mode, symbol in ("g", "give_up"), ("e", "broken_vectors"):
        guest = failing(mode, of=stays)
        check_report(guest.see(END), "(takes exceptions|waits with interrupts off)", symbol)
        guest.type("\x01c")
        guest.see("(husk) ")
        guest.type("info registers\r")
        guest.match(rf"vCPU 0 at 0xffffffff801\w+ \({symbol}\+0x\w+\)")
        guest.type("quit\r")
        assert "report about" not in guest.end()
        assert guest.status == 0


@pytest.mark.parametrize("host", ["linux", "pc"])
def test_status_on_both_hosts(host, tmp_path):
    """What `make run` starts ends with status 3 for a crash and 0 for a power-off, through the emulator too."""
    image = small_guest("virt", host=host) / "husk"
    with Guest(*run_script(in_mode(image, "g", tmp_path), host)) as guest:
        guest.match(r"husk: error: the guest waits with interrupts off .*; the run ends\r")
        guest.end()
        assert (guest.status, guest.restored) == (3, True)
    with Guest(*run_script(image, host)) as guest:
        guest.see("key? ")
        guest.type("k")
        assert "husk: guest powered off\r" in guest.end()
        assert (guest.status, guest.restored) == (0, True)


@pytest.mark.parametrize("board, line, count", [
    ("virt", "read of 4 bytes from 0x1e123450, where there is nothing", "1 to addresses with no device"),
    ("octeon", "mio-fus-rst: read of unmodelled CSR 0x1180000001ff8", "unmodelled registers: 1 CSR, 0 CIU accesses"),
])
def test_unknown_register(failing, board, line, count):
    """An access to what the board does not have reads as 0, is counted, and at log level debug it is named."""
    image = small_guest(board) / "husk"
    guest = failing("u", "log=debug", of=image)
    guest.see_line(f"husk: debug: {line}")
    guest.see_line("read zero")
    guest = failing("u", of=image)
    assert line not in guest.see("read zero")
    guest.type("\x01c")
    guest.see("(husk) ")
    guest.type("info devices\r")
    guest.see(count)


@pytest.mark.parametrize("board", ["virt", "octeon"])
def test_reset(failing, board):
    """A guest that resets its board starts from the payload: nothing that it changed in its image is left."""
    guest = failing("r", of=small_guest(board) / "husk")
    text = guest.end()
    assert text.count("started\r\n") == 3 and "stale" not in text
    assert text.count("husk: guest reset\r\n") == 2
    assert guest.status == 3
