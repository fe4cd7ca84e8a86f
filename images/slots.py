# SPDX-License-Identifier: BSD-2-Clause
"""Device tree nodes of the slots of a board that virtio devices are in (Linux: bindings/virtio/mmio.yaml)."""

from files import InputError

#: symbols that say how many devices of a kind there are: a number, or y for one
SYMBOLS = ("VIRTIO_BLK_COUNT", "VIRTIO_NET_COUNT", "VIRTIO_CONSOLE", "VIRTIO_RNG")


def count(values, board):
    """Devices that the configuration puts into slots."""
    number = sum(int(values.get(symbol, 0)) for symbol in SYMBOLS)
    if number > len(board.slots):
        raise InputError(
            f"{number} virtio devices are configured, the board {board.name} has {len(board.slots)} slots;"
            f" lower {SYMBOLS[0]} or {SYMBOLS[1]}, or switch off {SYMBOLS[2]} or {SYMBOLS[3]}"
        )
    return number


def nodes(board, number):
    """Source of the nodes of the first `number` slots; empty if there are none."""
    return "".join(
        f"virtio@{slot.base:x} {{ compatible = \"virtio,mmio\";"
        f" reg = <{_cells(slot.base, board.slot_cells)} {_cells(slot.size, board.slot_cells)}>;"
        f" interrupts = <{' '.join(map(str, slot.interrupt))}>; }}; "
        for slot in board.slots[:number]
    )


def _cells(value, cells):
    """A number in cells of 32 bits."""
    return " ".join(f"0x{value >> 32 * n & 0xFFFFFFFF:x}" for n in reversed(range(cells)))
