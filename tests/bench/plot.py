# SPDX-License-Identifier: BSD-2-Clause
"""A picture of a comparison, as SVG: how many times as fast as QEMU each item is, on a logarithmic scale."""

import math
from xml.sax.saxutils import escape

ROW, BAR, LEFT, WIDTH, TOP, RIGHT = 19, 12, 170, 620, 84, 90
FASTER, SLOWER, NATIVE, SAME_TLB, GRID, TEXT = "#2b6cb0", "#c53030", "#222222", "#f6ad55", "#dddddd", "#222222"
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class Scale:
    """Where a ratio is, between the ticks around all of them."""

    def __init__(self, ratios):
        low = max((tick for tick in TICKS if tick <= min(ratios, default=1)), default=TICKS[0])
        high = min((tick for tick in TICKS if tick >= max(ratios, default=1)), default=TICKS[-1])
        self.ticks = [tick for tick in TICKS if min(low, 0.5) <= tick <= max(high, 5)]

    def __call__(self, ratio):
        low, high = self.ticks[0], self.ticks[-1]
        part = math.log(min(max(ratio, low), high) / low) / math.log(high / low)
        return round(LEFT + part * WIDTH, 1)


def _text(x, y, text, anchor="start", more=""):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def _times(ratio):
    return f"{ratio:.{0 if ratio >= 100 else 1 if ratio >= 10 else 2}f}"


def _diamond(x, y, size=5):
    return f'<path d="M{x} {y - size}l{size} {size}l-{size} {size}l-{size} -{size}z" fill="{NATIVE}"/>'


def _circle(x, y):
    return f'<circle cx="{x}" cy="{y}" r="4" fill="{SAME_TLB}" stroke="{TEXT}"/>'


def _row(item, same, native, top, scale):
    """One item: its bar from 1, the marks of the native program and of husk with QEMU's TLB, its ratio."""
    middle = top + ROW / 2
    ratio, one = item["vs_qemu"], scale(1)
    yield _text(LEFT - 8, middle + 4, item["name"], "end")
    if ratio:
        end = scale(ratio)
        color = FASTER if ratio >= 1 else SLOWER
        yield f'<rect x="{min(one, end)}" y="{top + (ROW - BAR) / 2}" width="{abs(end - one):.1f}" height="{BAR}" fill="{color}"/>'
    if same:
        yield _circle(scale(same), middle)
    if native:
        yield _diamond(scale(native), middle)
    yield _text(LEFT + WIDTH + 10, middle + 4, f"{_times(ratio)} x" if ratio else "-")


def _grid(scale, bottom):
    for tick in scale.ticks:
        x = scale(tick)
        color, width = (TEXT, 1.5) if tick == 1 else (GRID, 1)
        yield f'<line x1="{x}" y1="{TOP - 4}" x2="{x}" y2="{bottom}" stroke="{color}" stroke-width="{width}"/>'
        yield _text(x, TOP - 10, f"{tick:g} x", "middle")


def _legend(marks):
    """What bars mean, and the marks in rows, if there are any."""
    yield f'<rect x="{LEFT}" y="34" width="22" height="{BAR}" fill="{FASTER}"/>'
    yield _text(LEFT + 28, 44, "husk")
    yield f'<rect x="{LEFT + 80}" y="34" width="22" height="{BAR}" fill="{SLOWER}"/>'
    yield _text(LEFT + 108, 44, "slower than QEMU")
    if not marks:
        return
    yield _circle(LEFT + 235, 40)
    yield _text(LEFT + 246, 44, "husk with QEMU's TLB size, no page walker")
    yield _diamond(LEFT + 530, 40)
    yield _text(LEFT + 541, 44, "native")


def chart(rows, same, title):
    """SVG text of rows of report.compare(); `same` are those of husk with QEMU's TLB, or None."""
    # How many times as fast as QEMU the native program is.
    natives = [row["vs_qemu"] / row["vs_native"] if row["vs_qemu"] and row["vs_native"] else None for row in rows]
    others = [row["vs_qemu"] for row in same] if same else [None] * len(rows)
    scale = Scale([ratio for ratio in [*(row["vs_qemu"] for row in rows), *others, *natives] if ratio])
    bottom = TOP + ROW * len(rows)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" height="{bottom + 14}" '
             f'font-family="sans-serif" font-size="12" fill="{TEXT}">',
             '<rect width="100%" height="100%" fill="white"/>', _text(LEFT, 20, title, more=' font-size="15" font-weight="bold"'),
             *_legend(same or any(natives)), *_grid(scale, bottom)]  # fmt: skip
    for number, values in enumerate(zip(rows, others, natives)):
        lines += _row(*values, TOP + number * ROW, scale)
    return "\n".join([*lines, "</svg>", ""])
