"""The command line of tools/bench."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time

from .callgrind import callgrind
from .contenders import ALWAYS, CONTENDERS
from .machine import Idleness, cores, describe_machine, machine_line
from .places import PAGE, PLOT, README, ROOT
from .plot import panels_of, plot_svg
from .report import IN_SHORT, in_short, markdown, renew
from .results import Results, Summary
from .servers import Bench, Failed
from .terminal import Terminal, print_summary, print_table
from .workloads import workloads


USAGE = """Builds the benchmarks and measures tsock beside everything that it is compared with.

Server and load are separate processes on cores of their own. The main figure is the CPU time of the server for one
operation; ratios are to the hand-written epoll server of the same round (of TLS: of the cheaper one of two). Rounds are interleaved over all contenders.

  tools/bench --quick                 everything once over, in less than three minutes
  tools/bench                         everything, for figures to be shown
  tools/bench -w echo-64x1,udp-64x1   some workloads        (--list names them)
  tools/bench --update-docs           also renews docs/performance.md and its plot
  tools/bench --callgrind --check     instructions for an operation against test/bench/budget.json

Results are in build/bench: report.md, report.json, report.svg.
"""


def build(terminal, folder):
    """Configures the release preset if nobody has, and builds the benchmarks in it."""
    log_path = os.path.join(ROOT, "build", "bench", "build.log")
    os.makedirs(os.path.dirname(log_path), exist_ok=True)
    begin = time.time()
    commands = [["cmake", "--build", folder, "--target", "bench", "-j", str(len(os.sched_getaffinity(0)))]]
    if not os.path.exists(os.path.join(folder, "CMakeCache.txt")):
        commands.insert(0, ["cmake", "--preset", "release", "-B", folder, "-DTSOCK_TESTS=OFF", "-DTSOCK_TOOLS=OFF",
                            "-DTSOCK_EXAMPLES=OFF"])
    else:
        commands.insert(0, ["cmake", folder, "-DTSOCK_BENCH=ON"])
    terminal.progress("building ...")
    with open(log_path, "w", encoding="utf-8") as log:
        for command in commands:
            if subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, check=False).returncode != 0:
                terminal.line("bench: the build failed")
                with open(log_path, encoding="utf-8") as text:
                    terminal.line("".join(text.readlines()[-30:]))
                sys.exit(2)
    terminal.line(f"built in {time.time() - begin:.0f} s ({os.path.relpath(log_path, ROOT)})")


def measure(terminal, bench, chosen, contenders, rounds, other_rounds, limit=None):
    """All workloads, one after the other. On a slow machine, rounds are given up rather than `limit` seconds passed."""
    results = Results()
    done = []
    begin, spent = time.time(), 0.0
    # What is to be done, by weight, to say when it will be over.
    cost = {"idle-10k": 3.0, "memory": 1.6, "memory-closed": 1.6, "accept-18k": 0.8, "post": 1.5, "deadline": 0.5, "two-loops": 0.5, "allocations": 1.5,
            "tls-allocations": 1.5, "gssapi-allocations": 2.0, "npa-allocations": 1.5, "tls-idle": 1.0, "tls-idle-16k": 1.0}

    def price(workload):
        return bench.seconds * workload.weight + bench.warmup + 0.06 + cost.get(workload.key, 0)

    def count(workload, key):
        mine = rounds if key in ALWAYS else other_rounds
        return min(mine, workload.most_rounds or mine)

    left = sum(price(w) * count(w, k) for w in chosen for k in w.contenders if k in contenders)
    for workload in chosen:
        keys = [k for k in workload.contenders if k in contenders]
        for number in range(min(rounds, workload.most_rounds or rounds)):
            # Nobody is always the first.
            turn = number % max(1, len(keys))
            for key in keys[turn:] + keys[:turn]:
                if number >= count(workload, key) or (workload.key, key) in results.failures:
                    continue
                slowness = (time.time() - begin + 1) / (spent + 1)
                enough = 3 if key in ALWAYS else 1
                if limit and number >= enough and time.time() - begin + left * slowness > limit:
                    left = max(0, left - price(workload))
                    continue
                terminal.progress(f"{workload.key}  round {number + 1}  {key:<18}  {left:4.0f} s left")
                try:
                    result = workload.measure(bench, workload, CONTENDERS[key])
                    result["round"] = number
                    results.add(workload, key, result)
                except Failed as failure:
                    results.failures[(workload.key, key)] = str(failure)
                left = max(0, left - price(workload))
                spent += price(workload)
        print_table(terminal, workload, results)
        done.append(workload)
    return results, done


def parse(everything):
    parser = argparse.ArgumentParser(prog="tools/bench", description=USAGE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-q", "--quick", action="store_true", help="short rounds: less than three minutes for everything")
    parser.add_argument("-w", "--workload", metavar="NAMES", help="only these, with commas between them; 'echo*' works")
    parser.add_argument("-c", "--contender", metavar="NAMES", help="only these, and the floor and tsock")
    parser.add_argument("-r", "--rounds", type=int, metavar="N", help="rounds of each contender (default 9, quick 5)")
    parser.add_argument("-s", "--seconds", type=float, metavar="S", help="seconds of a round (default 0.5, quick 0.12)")
    parser.add_argument("-o", "--output", default=os.path.join(ROOT, "build", "bench"), metavar="DIR", help="default: build/bench")
    parser.add_argument("--build-directory", default=os.path.join(ROOT, "build", "release"), metavar="DIR",
                        help="default: build/release")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they are")
    parser.add_argument("--update-docs", action="store_true", help="renew README.md, docs/performance.md and docs/performance.svg")
    parser.add_argument("--list", action="store_true", help="name the workloads and contenders")
    parser.add_argument("--callgrind", action="store_true", help="count instructions instead")
    parser.add_argument("--check", action="store_true", help="with --callgrind: fail when one is over its budget")
    parser.add_argument("--update", action="store_true", help="with --callgrind: write what was counted as the new budget")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{w.key:<16} {w.title}" for w in everything) + "\n")
        print("\n".join(f"{c.key:<18} {c.title}" for c in CONTENDERS.values()))
        sys.exit(0)
    if (options.check or options.update) and not options.callgrind:
        parser.error("--check and --update belong to --callgrind")
    return parser, options


def select_names(parser, wanted, names, kind):
    if not wanted:
        return list(names)
    patterns = []
    for part in wanted.split(","):
        pattern = re.compile(re.escape(part.strip()).replace(r"\*", ".*") + "$")
        if not any(pattern.match(n) for n in names):
            parser.error(f"no such {kind}: {part} (--list names them)")
        patterns.append(pattern)
    return [n for n in names if any(p.match(n) for p in patterns)]


def main():
    everything = workloads()
    parser, options = parse(everything)
    terminal = Terminal()
    programs = os.path.join(options.build_directory, "test", "bench")
    if not options.no_build:
        build(terminal, options.build_directory)
    try:
        if options.callgrind:
            return callgrind(terminal, programs, options)
        return run(terminal, parser, options, everything, programs)
    except Failed as failure:
        terminal.line(f"bench: {failure}")
        return 2


def run(terminal, parser, options, everything, programs):
    names = select_names(parser, options.workload, [w.key for w in everything], "workload")
    chosen = [w for w in everything if w.key in names]
    wanted = set(select_names(parser, options.contender, list(CONTENDERS), "contender")) | set(ALWAYS)
    seconds = options.seconds or (0.12 if options.quick else 0.5)
    rounds = options.rounds or (5 if options.quick else 9)
    other_rounds = options.rounds or (2 if options.quick else 5)
    server_core, load_core = cores()
    bench = Bench(programs, server_core, load_core, seconds, min(seconds, 0.05 if options.quick else 0.15))
    contenders = [k for k in CONTENDERS if k in wanted and bench.has(CONTENDERS[k])]
    skipped = sorted({f"{CONTENDERS[k].program} (Debian: {CONTENDERS[k].libraries})" for k in wanted if k not in contenders})
    machine = describe_machine(options.build_directory)
    terminal.line(machine_line(machine))
    terminal.line(f"server on core {server_core}, load on core {load_core}; {rounds} rounds of {seconds:g} s"
                  + (f", {other_rounds} for the libraries" if other_rounds != rounds else ""))
    if server_core == load_core:
        terminal.line("only one core: server and load disturb each other")
    for text in skipped:
        terminal.line(f"skipped, not installed: {text}")
    terminal.line()

    begin, idleness = time.time(), Idleness()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        results, done = measure(terminal, bench, chosen, contenders, rounds, other_rounds, 160 if options.quick else None)
    except KeyboardInterrupt:
        terminal.line("interrupted")
        return 130
    finally:
        bench.stop_all()
    busy = idleness.others()

    summaries = [Summary(w, results) for w in done]
    settings = {"rounds": rounds, "other_rounds": other_rounds, "seconds": seconds, "busy": busy}
    os.makedirs(options.output, exist_ok=True)
    plot = plot_svg(list(panels_of(done, results)), "logarithmic; the line is the hand-written server; left is cheaper")
    with open(os.path.join(options.output, "report.svg"), "w", encoding="utf-8") as file:
        file.write(plot)
    with open(os.path.join(options.output, "report.md"), "w", encoding="utf-8") as file:
        file.write("# tsock, measured\n\n" + markdown(machine, settings, summaries, results, skipped, "report.svg"))
    with open(os.path.join(options.output, "report.json"), "w", encoding="utf-8") as file:
        json.dump({
            "machine": machine, "settings": settings, "skipped": skipped,
            "workloads": [{
                "name": s.workload.key, "title": s.workload.title, "unit": s.workload.unit, "state": s.state,
                "bars": [{"text": v.text, "number": v.number, "bar": v.bar, "ok": v.ok} for v in s.verdicts],
                "contenders": {k: {"median": results.value(s.workload, k), "spread": results.spread(s.workload, k),
                                   "ratio": results.ratio(s.workload, k), "rounds": results.rounds(s.workload, k)}
                               for k in s.workload.contenders if results.rounds(s.workload, k)},
            } for s in summaries],
            "failures": {f"{w}/{c}": text for (w, c), text in results.failures.items()},
        }, file, indent=1)
        file.write("\n")
    if options.update_docs:
        renew(PAGE, markdown(machine, settings, summaries, results, skipped, "performance.svg"))
        if all(key in {w.key for w in done} for key in IN_SHORT):
            renew(README, in_short(machine, done, results))
        with open(PLOT, "w", encoding="utf-8") as file:
            file.write(plot)

    terminal.line(f"{time.time() - begin:.0f} s; report.md, report.json and report.svg are in "
                  f"{os.path.relpath(options.output, os.getcwd())}")
    if busy > 0.2:
        terminal.line(terminal.paint(f"other programs used {busy * 100:.0f} % of the machine: take the figures with care", 33))
    terminal.line()
    print_summary(terminal, summaries)
    return 1 if results.failures else 0
