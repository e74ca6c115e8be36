"""What is shown while it runs and when it is over."""

import os
import shutil
import sys

from .contenders import CONTENDERS
from .figures import percent, short


class Terminal:
    def __init__(self):
        self.tty = sys.stdout.isatty()
        self.colours = self.tty and "NO_COLOR" not in os.environ
        self.progress_shown = False

    def paint(self, text, code):
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def progress(self, text):
        if self.tty:
            width = shutil.get_terminal_size().columns - 1
            sys.stdout.write("\r\033[K" + text[:width])
            sys.stdout.flush()
            self.progress_shown = True

    def line(self, text=""):
        if self.progress_shown:
            sys.stdout.write("\r\033[K")
            self.progress_shown = False
        print(text, flush=True)


def table_rows(workload, results):
    """Contender, value, spread, ratio, second figure; in the order of their cost, the floor first."""
    keys = [k for k in workload.contenders if results.rounds(workload, k)]
    keys.sort(key=lambda k: (k not in workload.floors, results.value(workload, k) * (-1 if workload.higher else 1)))
    for key in keys:
        ratio = results.ratio(workload, key)
        if workload.key == "idle-10k":
            second = f"{short(results.extra(workload, key, 'reference'))} with 64"
        elif results.extra(workload, key, "rate") is not None:
            second = f"{short(results.extra(workload, key, 'rate'))} op/s"
        elif results.extra(workload, key, "cpu") is not None:
            second = f"{short(results.extra(workload, key, 'cpu'))} us CPU/MiB"
        elif results.extra(workload, key, "heap") is not None:
            second = f"{short(results.extra(workload, key, 'heap'))} of them heap"
        else:
            second = ""
        yield key, short(results.value(workload, key)), percent(results.spread(workload, key)), \
            "" if ratio is None else f"{ratio:.2f} x floor", second


def print_table(terminal, workload, results):
    terminal.line(f"{terminal.paint(workload.key, 1)}   {workload.title}")
    for key, value, spread, ratio, second in table_rows(workload, results):
        row = f"  {CONTENDERS[key].title:<24} {value:>8} {workload.unit:<10} {spread:>7}  {ratio:>13}   {second}"
        terminal.line(terminal.paint(row.rstrip(), "36") if key == workload.ours else row.rstrip())
    for (name, key), text in results.failures.items():
        if name == workload.key:
            terminal.line(f"  {CONTENDERS[key].title:<24} failed: {text.splitlines()[0]}")
    terminal.line()


def print_summary(terminal, summaries):
    width = max(len(s.workload.key) for s in summaries)
    for summary in summaries:
        colour = {"ok": "32", "short": "31"}.get(summary.state, "33")
        state = terminal.paint(summary.state, colour)
        if not summary.verdicts:
            terminal.line(f"{summary.workload.key:<{width}}  {state}")
            continue
        first = summary.verdicts[0]
        line = f"{summary.workload.key:<{width}}  {first.text:<36} bar {first.bar:<9} {state}"
        for verdict in summary.verdicts[1:]:
            line += f"   {verdict.text}, bar {verdict.bar}, " + ("ok" if verdict.ok else terminal.paint("short", "31"))
        terminal.line(line)
