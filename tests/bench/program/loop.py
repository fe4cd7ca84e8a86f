# SPDX-License-Identifier: BSD-2-Clause
"""The item python3: a loop with objects, a dictionary, strings, integers and floats. Argument: seconds.

As in most programs, what it makes lives for a while: some hundred kilobytes. Prints a line as the benchmark program
does; the fastest of several batches counts.
"""

import sys
import time

BATCH = 2000
RESULT = (333, 63716, 205972.0)


class Point:
    """Something to make many of."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def moved(self, distance):
        """Another point."""
        return Point(self.x + distance, self.y ^ distance)


def work():
    """BATCH iterations."""
    words, points, total = {}, [Point(3, 2)], 0.0
    for i in range(BATCH):
        point = points[i // 2].moved(i & 63)
        points.append(point)
        word = f"word{point.x * 31 & 511}"
        words[word] = words.get(word, 0) + point.y
        total += 0.5 * point.x
    return len(words), sum(words.values()), total


def main():
    """Entry point."""
    best, start = None, time.perf_counter()
    while best is None or time.perf_counter() - start < float(sys.argv[1]):
        begin = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - begin
        if result != RESULT:
            sys.exit(f"python3 WRONG: {result}, not {RESULT}")
        best = min(best or seconds, seconds)
    print(f"python3 {BATCH / best:.6g} loops/s")


main()
