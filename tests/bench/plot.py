# SPDX-License-Identifier: BSD-2-Clause
"""A bar chart of items with a value for QEMU and one for husk, as SVG."""

from xml.sax.saxutils import escape

ROW, BAR, LEFT, WIDTH, RIGHT = 40, 14, 300, 380, 110
COLORS = {"qemu": "#9aa5b1", "husk": "#d9480f"}


def _text(x, y, text, anchor="start"):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _bars(item, top, largest):
    """The bars of one item, one under the other."""
    yield _text(LEFT - 10, top + BAR + 4, item["name"], "end")
    for number, who in enumerate(COLORS):
        if item[who] is None:
            continue
        y = top + number * (BAR + 2)
        length = max(1, item[who] / largest * WIDTH)
        yield f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{COLORS[who]}"/>'
        yield _text(round(LEFT + length + 6), y + BAR - 2, f"{who} {item[who]:.2f} {item['unit']}")


def chart(title, items):
    """SVG text; all items have one unit, and shorter is better."""
    largest = max(item[who] for item in items for who in COLORS if item[who] is not None)
    height = 40 + ROW * len(items)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" height="{height}" '
             'font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>', _text(10, 20, title)]
    for number, item in enumerate(items):
        lines += _bars(item, 36 + number * ROW, largest)
    return "\n".join([*lines, "</svg>", ""])
