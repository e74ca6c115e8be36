#!/usr/bin/env python3
"""Filter of Doxygen for pages of Markdown: headings get the anchors that they have on a forge, links lead to pages.

Usage: page_filter.py <file>      writes the page to standard output.
"""

import os
import re
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def page_label(path):
    """The label of a page: its path in words. That of the front page is the one that Doxygen expects."""
    name = os.path.relpath(path, ROOT)
    return "page-" + re.sub(r"[^a-z0-9]+", "-", os.path.splitext(name)[0].lower())


def slug(heading):
    """The anchor of a heading as forges make it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def heading_label(path, anchor):
    return page_label(path) + "--" + anchor


def example_page(path):
    """Doxygen's page of a source file."""
    return os.path.basename(path).replace("_", "__").replace(".", "_8") + "_source.html"


def link_target(target, path):
    """What a link of the page at `path` leads to in the site."""
    if re.match(r"[a-z]+:", target):
        return target
    name, _, anchor = target.partition("#")
    file = os.path.realpath(os.path.join(os.path.dirname(path), name)) if name else path
    if file.endswith(".md"):
        return "@ref " + (heading_label(file, anchor) if anchor else page_label(file))
    if file.endswith((".cpp", ".hpp")):
        return example_page(file)
    if os.path.basename(file) == "LICENSE":
        return "LICENSE"
    return os.path.basename(file)


def whole_links(lines):
    """Joins lines within the words of a link, which Doxygen does not."""
    fence, start = False, ""
    for line in lines:
        fence ^= line.startswith("```")
        if start:
            line, start = start + " " + line.lstrip(), ""
        if not fence and re.search(r"\[[^\[\]]*$", line):
            start = line
        else:
            yield line
    if start:
        yield start


def convert(lines, path):
    used = {}
    fence = False
    for number, line in enumerate(lines):
        if line.startswith("```"):
            fence = not fence
            yield line.replace("```cpp", "```{.cpp}", 1)
            continue
        if fence:
            yield line
            continue
        heading = re.match(r"(#+) (.*?)\s*$", line)
        if heading:
            anchor = slug(heading[2])
            count = used.get(anchor, 0)
            used[anchor] = count + 1
            label = page_label(path) if number == 0 else heading_label(path, anchor + (f"-{count}" if count else ""))
            yield f"{heading[1]} {heading[2]} {{#{label}}}"
            continue
        if line.startswith("<!--"):
            continue
        # Doxygen shows no code in the words of a link.
        line = re.sub(r"\[([^\]]*`[^\]]*)\](?=\([^()\s]+\))", lambda m: "[" + m[1].replace("`", "") + "]", line)
        line = re.sub(r"\]\(([^()\s]+)\)", lambda m: f"]({link_target(m[1], path)})", line)
        # Doxygen looks for a symbol in what starts with "::", as some addresses do.
        yield re.sub(r"`::([0-9a-f][^`]*)`", r"<code>::%\1</code>", line)


def main():
    path = os.path.realpath(sys.argv[1])
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    print("\n".join(convert(list(whole_links(lines)), path)))


main()
