# SPDX-License-Identifier: BSD-2-Clause
"""The report of a difference: the instruction, both states side by side, the block in guest and host assembly."""

import re
import subprocess
import tempfile

MEMORY_LINES = 16
STATE_WIDTH = 16


def disassemble(code, address, program, *options):
    """Lines of assembly of some bytes of machine code."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(code)
        file.flush()
        done = subprocess.run([program, "-D", "-z", "-b", "binary", *options, f"--adjust-vma={address:#x}", file.name],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    return [line.strip() for line in done.stdout.splitlines() if re.match(r"\s*[0-9a-f]+:\t", line)]


def guest_assembly(state, pc, gpa, size):
    """Guest code in the memory of a state."""
    endian = "eb" if state.facts.get("byte_order") == "big" else "el"
    program = f"mips64{endian.removeprefix('eb')}-linux-gnuabi64-objdump"
    code = state.bytes_at(gpa, size)
    return disassemble(code, pc, program, "-m", f"mips:{state.facts['cpu']}", f"-{endian.upper()}")


def instruction(before):
    """The instruction that was next in a state, and its delay slot if it has one. The guest may be elsewhere then."""
    pc = before.values["pc"]
    place = f"{pc:#x} {before.facts.get('symbol', '')}".strip()
    if "pc_gpa" not in before.facts:
        return [f"{place}: not mapped"]
    lines = guest_assembly(before, pc, int(before.facts["pc_gpa"], 16), 8)
    return [f"{place}:"] + ["  " + line for line in lines]


def states(names, before, left, right):
    """Registers side by side; those that differ are marked."""
    lines = [f"  {'':14} {'before':>{STATE_WIDTH}} {names[0]:>{STATE_WIDTH}} {names[1]:>{STATE_WIDTH}}"]
    for name in sorted(left.values | right.values, key=list(left.values | right.values).index):
        was, a, b = (state.values.get(name) for state in (before, left, right))
        if a == b and (name.startswith("tlb") or not a and not was):
            continue
        texts = ["-" if value is None else f"{value:0{STATE_WIDTH}x}" for value in (was, a, b)]
        lines.append(f"{'* ' if a != b else '  '}{name:14} " + " ".join(f"{text:>{STATE_WIDTH}}" for text in texts))
    return lines


def memory(names, left, right):
    """Words of memory that differ."""
    lines = []
    for (gpa, a), (_, b) in zip(left.ram, right.ram, strict=True):
        for page in range(0, len(a), 4096):
            if a[page : page + 4096] == b[page : page + 4096]:
                continue
            for at in range(page, page + 4096, 8):
                if a[at : at + 8] != b[at : at + 8]:
                    lines.append(f"* {gpa + at:#014x} {a[at : at + 8].hex(' ')}   {b[at : at + 8].hex(' ')}")
    if not lines:
        return []
    more = [f"  and {len(lines) - MEMORY_LINES} more"] if len(lines) > MEMORY_LINES else []
    return [f"memory, bytes at guest physical address: {names[0]}, {names[1]}", *lines[:MEMORY_LINES], *more]


def block(name, state):
    """The translated block that the instruction is in, as guest and host code."""
    if "block" not in state.facts:
        return []
    words = state.facts["block"].split()
    pc, gpa, size, address, code = int(words[0], 16), int(words[1], 16), int(words[2]), int(words[3], 16), bytes.fromhex(words[4])
    return [f"block of {name} at {pc:#x}, guest code:", *("  " + line for line in guest_assembly(state, pc, gpa, size)),
            "host code:", *("  " + line for line in disassemble(code, address, "objdump", "-m", "i386:x86-64"))]


def report(images, same, differing):
    """What happened between two numbers of instructions that are one apart, as text."""
    names = [image.name for image in images]
    before = images[0].state(same)
    wanted = f"lockstep-block={before.values['pc']:#x}"
    left, right = (image.state(differing, wanted) for image in images)
    lines = [f"{names[0]} and {names[1]} differ first behind instruction {differing:,}:", *instruction(before)]
    lines += ["", *states(names, before, left, right), *memory(names, left, right)]
    for name, state in zip(names, (left, right), strict=True):
        lines += ["", *block(name, state)] if "block" in state.facts else []
    return "\n".join(lines)
