# SPDX-License-Identifier: BSD-2-Clause
"""The real image of pc_virt on other computers than that of `make run`, and from a disc on BIOS and UEFI."""

import contextlib

import pytest

from guest import boot_all, qemu

OVMF = "/usr/share/OVMF/OVMF_CODE.fd"
COMPUTERS = ["microvm", "disc-bios", "disc-uefi"]
every = pytest.mark.parametrize("computer", COMPUTERS)


@pytest.fixture(scope="module", name="guests")
def boot_every_computer(built):
    """Guests at their prompts, and what they said, by computer; all boot at the same time."""
    image = built("pc_virt") / "husk"
    disc = built("pc_virt", "iso") / "husk.iso"
    commands = {
        "microvm": qemu("-kernel", image, machine="microvm,acpi=on"),
        "disc-bios": qemu("-cdrom", disc),
        "disc-uefi": qemu("-cdrom", disc, "-bios", OVMF),
    }
    with contextlib.ExitStack() as stack:
        guests, said = boot_all(commands)
        for guest in guests.values():
            stack.enter_context(guest)
        yield guests, said


@every
def test_boots(guests, computer):
    """The guest comes to its prompt and works, and its power-off switches the computer off."""
    guest, said = guests[0][computer], guests[1][computer]
    assert ("Booting `husk'" in said) == computer.startswith("disc")  # says GRUB
    assert "(pc_virt): host pc, guest debian-virt" in said
    assert "mips64" in guest.run("uname -m")
    assert "husk: guest powered off" in guest.power_off()
    assert guest.status == 0
