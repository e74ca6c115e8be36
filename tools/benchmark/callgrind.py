"""Instructions for an operation, and their budget."""

import json
import os
import re
import shutil
import subprocess
import tempfile

from .places import BUDGET, ROOT
from .servers import Failed


# Scenario: two numbers of turns; what both have in common, the start, falls out of the difference.
SCENARIOS = {
    "echo-1x1": (100, 600), "echo-64x1": (10, 40), "echo-coroutine-1x1": (100, 600),
    "echo-coroutine-64x1": (10, 40), "echo-64x32": (6, 18), "echo-owned-64x32": (6, 18), "echo-16k": (10, 40),
    "read-write": (20, 120),
    "connect": (50, 250), "datagram": (20, 120), "udp-1x32": (10, 60), "deadline": (10, 60), "post": (10, 60),
    "tls-echo-64x1": (10, 40), "tls-echo-64x32": (6, 18), "tls-echo-16k": (6, 18),
    "npa-echo-64x1": (10, 40), "npa-echo-64x32": (6, 18), "npa-echo-4k": (10, 40),
}
# What a coroutine may cost beside the same with callbacks.
DEAREST_COROUTINE = 1.10
# Whose instructions do not count: a change of ours has to show beside them, and their versions differ.
OTHERS = re.compile(r"/lib(ssl|crypto)\.so")


def count_own(path):
    """Instructions of a run of callgrind without those of OTHERS, and without what the C library does for them."""
    names = {}

    def name_of(text):
        number, _, name = text.partition(" ")
        return names.setdefault(number, name)

    count, own, place, called, is_call = 0, "", "", "", False
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            key, separator, rest = line.partition("=")
            if separator:
                if key == "ob":
                    place = name_of(rest.strip())
                    own = not OTHERS.search(place)
                elif key == "cob":
                    called = name_of(rest.strip())
                elif key == "fn":
                    called = place
                is_call = key == "calls"
            elif line[:1] in "0123456789+-*":
                cost = int(line.split()[1])
                if is_call:
                    # Called by them: the C library's part is theirs, a callback of ours is not.
                    if not own and "/libc.so" in called:
                        count -= cost
                    called = place
                elif own:
                    count += cost
                is_call = False
    return count


def run_callgrind(programs, scenario, turns):
    """What is there of instructions, and the operations; None when the program was built without the scenario."""
    # How the C library copies depends on the processor; valgrind counts "rep movsb" byte by byte.
    never = 1 << 30
    tunables = f"glibc.cpu.x86_rep_movsb_threshold={never}:glibc.cpu.x86_rep_stosb_threshold={never}"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "callgrind")
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={path}", "--toggle-collect=bench_turn*",
             os.path.join(programs, "bench_instructions"), scenario, str(turns)],
            capture_output=True, text=True, env=dict(os.environ, GLIBC_TUNABLES=tunables), check=False)
        if f"no such scenario: {scenario}" in run.stderr:
            return None
        collected = re.search(r"Collected : (\d+)", run.stderr)
        if run.returncode != 0 or not collected:
            raise Failed(f"{scenario}: {run.stderr.strip().splitlines()[-1] if run.stderr.strip() else 'no output'}")
        return int(collected.group(1)), count_own(path), int(run.stdout)


def count_instructions(programs, scenario):
    """For an operation: all instructions, and those without OTHERS."""
    runs = [run_callgrind(programs, scenario, turns) for turns in SCENARIOS[scenario]]
    if None in runs:
        return None
    (all_before, own_before, before), (all_after, own_after, after) = runs
    return (round((all_after - all_before) / (after - before), 1), round((own_after - own_before) / (after - before), 1))


def dear_coroutines(counts):
    """The scenarios in which coroutines cost more beside callbacks than they may."""
    beside = {scenario: scenario.replace("-coroutine", "") for scenario in counts if "-coroutine" in scenario}
    return [one for one, other in beside.items() if counts[one] > DEAREST_COROUTINE * counts[other]]


def callgrind(terminal, programs, options):
    if not shutil.which("valgrind"):
        terminal.line("bench: valgrind is not installed")
        return 2
    with open(BUDGET, encoding="utf-8") as file:
        budget = json.load(file)
    tolerance = budget["tolerance"]
    counts, failed = {}, []
    terminal.line("instructions for an operation, in user space")
    for scenario in SCENARIOS:
        terminal.progress(scenario)
        allowed = budget["instructions"].get(scenario)
        counted = count_instructions(programs, scenario)
        if counted is None:
            terminal.line(f"  {scenario:<14} left out: built without its part")
            if allowed is not None:
                counts[scenario] = allowed
            continue
        total, count = counted
        counts[scenario] = count
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
        if total != count:
            verdict += f"   with OpenSSL {total:,.0f}"
        terminal.line(f"  {scenario:<14} {count:10,.1f}   {verdict}")
    if options.update:
        budget["instructions"] = counts
        with open(BUDGET, "w", encoding="utf-8") as file:
            json.dump(budget, file, indent=2)
            file.write("\n")
        terminal.line(f"written: {os.path.relpath(BUDGET, ROOT)}")
        return 0
    slow = dear_coroutines(counts)
    if options.check and slow:
        terminal.line(f"more than {DEAREST_COROUTINE} times what callbacks cost: {', '.join(slow)}")
        return 1
    if options.check and failed:
        terminal.line(f"over the budget by more than {tolerance:.0%}: {', '.join(failed)}")
        terminal.line("If it is worth that: tools/bench --callgrind --update, and say why in the commit.")
        return 1
    return 0
