# SPDX-License-Identifier: BSD-2-Clause
"""The item python3: a loop with objects, a dictionary, strings, integers and floats. Argument: seconds.

Prints a line as the benchmark program does; the fastest of several batches counts.
"""

import sys
import time

BATCH = 2000
RESULT = (7003, 9000, 999500.0)


class Point:
    """Something to make many of."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def moved(self, distance):
        """Another point."""
        return Point(self.x + distance, self.y ^ distance)


def work():
    """BATCH iterations."""
    words, point, total = {}, Point(3, 2), 0.0
    for i in range(BATCH):
        point = point.moved(i & 7)
        word = f"w{point.y & 63}"
        words[word] = words.get(word, 0) + point.x % 10
        total += 0.5 * i
    return point.x, sum(words.values()), total


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
