#!/usr/bin/env python3
"""Filter of Doxygen for headers: without friends that are classes, private tags and the inline namespace of the ABI; what
does not say since when it is there is there since the first release.

Usage: header_filter.py <file>      writes the header to standard output.
"""

import re
import sys

# An alias of the Doxyfile, for the end of a line: the lines keep their numbers, by which Doxygen links to the source.
SINCE_FIRST_RELEASE = r" \since_first_release"


def without_inner_things(line):
    line = re.sub(r"^ *friend (class|struct) .*", "", line)
    line = re.sub(r"^  struct [A-Za-z]* \{\};$", "", line)
    return re.sub(r"::inline v[0-9]+", "", line)


def with_since(lines):
    """Adds the version to each comment in front of a declaration that names none."""
    comment = []
    for line in lines:
        if re.match(r" *///(?!<)", line):
            comment.append(line)
            continue
        if comment and line.strip() and "\\since" not in "".join(comment):
            comment[-1] += SINCE_FIRST_RELEASE
        yield from comment
        comment = []
        yield line
    yield from comment


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = file.read().split("\n")
    print("\n".join(with_since([without_inner_things(line) for line in lines])))


main()
