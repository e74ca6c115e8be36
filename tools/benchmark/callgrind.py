"""Instructions for an operation, and their budget."""

import json
import os
import re
import shutil
import subprocess

from .places import BUDGET, ROOT
from .servers import Failed


# Scenario: two numbers of turns; what both have in common, the start, falls out of the difference.
SCENARIOS = {
    "echo-1x1": (100, 600), "echo-64x1": (10, 40), "echo-coroutine-1x1": (100, 600),
    "echo-coroutine-64x1": (10, 40), "echo-64x32": (6, 18), "echo-16k": (10, 40), "read-write": (20, 120),
    "connect": (50, 250), "datagram": (20, 120), "udp-1x32": (10, 60), "deadline": (10, 60), "post": (10, 60),
}


def count_instructions(programs, scenario, turns):
    # How the C library copies depends on the processor; valgrind counts "rep movsb" byte by byte.
    never = 1 << 30
    tunables = f"glibc.cpu.x86_rep_movsb_threshold={never}:glibc.cpu.x86_rep_stosb_threshold={never}"
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=bench_turn*",
         os.path.join(programs, "bench_instructions"), scenario, str(turns)],
        capture_output=True, text=True, env=dict(os.environ, GLIBC_TUNABLES=tunables), check=False)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not collected:
        raise Failed(f"{scenario}: {run.stderr.strip().splitlines()[-1] if run.stderr.strip() else 'no output'}")
    return int(collected.group(1)), int(run.stdout)


def callgrind(terminal, programs, options):
    if not shutil.which("valgrind"):
        terminal.line("bench: valgrind is not installed")
        return 2
    with open(BUDGET, encoding="utf-8") as file:
        budget = json.load(file)
    tolerance = budget["tolerance"]
    counts, failed = {}, []
    terminal.line("instructions for an operation, in user space")
    for scenario, (few, many) in SCENARIOS.items():
        terminal.progress(scenario)
        before, operations_before = count_instructions(programs, scenario, few)
        after, operations = count_instructions(programs, scenario, many)
        count = round((after - before) / (operations - operations_before), 1)
        counts[scenario] = count
        allowed = budget["instructions"].get(scenario)
        if allowed is None:
            verdict = "no budget"
        else:
            change = count / allowed - 1
            verdict = f"budget {allowed:10,.1f}   {change:+7.1%}"
            if change > tolerance:
                verdict += "   over"
                failed.append(scenario)
            elif change < -tolerance:
                verdict += "   under: lower the budget"
        terminal.line(f"  {scenario:<12} {count:10,.1f}   {verdict}")
    if options.update:
        budget["instructions"] = counts
        with open(BUDGET, "w", encoding="utf-8") as file:
            json.dump(budget, file, indent=2)
            file.write("\n")
        terminal.line(f"written: {os.path.relpath(BUDGET, ROOT)}")
        return 0
    if options.check and failed:
        terminal.line(f"over the budget by more than {tolerance:.0%}: {', '.join(failed)}")
        terminal.line("If it is worth that: tools/bench --callgrind --update, and say why in the commit.")
        return 1
    return 0
