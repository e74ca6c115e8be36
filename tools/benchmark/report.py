"""The report as Markdown, and the parts of the documents that it renews."""

from .contenders import CONTENDERS, OURS
from .machine import machine_line
from .terminal import table_rows


def markdown(machine, settings, summaries, results, skipped, plot):
    lines = [f"Machine: {machine_line(machine)}.", ""]
    if machine["packages"]:
        lines += ["Peers: " + ", ".join(f"{k} {v}" for k, v in machine["packages"].items()) + ".", ""]
    lines += [f"{settings['rounds']} rounds of {settings['seconds']:g} s each, {machine['date']}"
              + (f", commit {machine['commit']}" if machine["commit"] else "") + "."]
    if skipped:
        lines += ["", "Not installed and left out: " + ", ".join(skipped) + "."]
    if settings["busy"] > 0.2:
        lines += ["", f"**Other programs used {settings['busy'] * 100:.0f} % of the machine meanwhile: the figures are only "
                  "indicative.**"]
    lines += ["", f"![tsock and its peers, CPU time relative to the hand-written server]({plot})", "",
              "| workload | tsock | bar | |", "|---|---|---|---|"]
    for summary in summaries:
        if not summary.verdicts:
            lines.append(f"| {summary.workload.title} | | | {summary.state} |")
        for i, verdict in enumerate(summary.verdicts):
            title = summary.workload.title if i == 0 else ""
            lines.append(f"| {title} | {verdict.text} | {verdict.bar} | {'ok' if verdict.ok else 'short'} |")
    for summary in summaries:
        workload = summary.workload
        rows = list(table_rows(workload, results))
        if not rows:
            continue
        lines += ["", f"### {workload.title}", "", f"| {workload.key} | {workload.unit} | spread | | |", "|---|---|---|---|---|"]
        for key, value, spread, ratio, second in rows:
            title = f"**{CONTENDERS[key].title}**" if key == workload.ours else CONTENDERS[key].title
            lines.append(f"| {title} | {value} | {spread} | {ratio} | {second} |")
        for (name, key), text in results.failures.items():
            if name == workload.key:
                lines.append(f"| {CONTENDERS[key].title} | failed | | | |")
    return "\n".join(lines) + "\n"


# What the README shows: a few workloads, and every library in its cheapest form.
IN_SHORT = {
    "echo-64x32": "64 bytes, 64 connections, 32 in flight",
    "echo-64x1": "64 bytes, 64 connections, 1 in flight",
    "echo-16k": "16 KiB, 16 connections, 4 in flight",
    "mixed": "16 bytes to 256 KiB, 256 connections",
    "connect": "connect, 64 bytes, close",
}
LIBRARIES = {"tsock": "tsock", "libuv": "libuv", "asio": "Asio", "libevent": "libevent", "tsocket": "Samba's tsocket"}


def in_short(machine, workloads, results):
    lines = [f"| messages | {' | '.join(LIBRARIES.values())} |", "|---" * (len(LIBRARIES) + 1) + "|"]
    for workload in workloads:
        if workload.key not in IN_SHORT:
            continue
        cells = []
        for program in LIBRARIES:
            forms = [OURS] if program == OURS else [k for k in workload.contenders if CONTENDERS[k].program == program]
            ratios = [r for r in (results.ratio(workload, k) for k in forms) if r is not None]
            cells.append(f"{min(ratios):.2f}" if ratios else "")
        lines.append(f"| {IN_SHORT[workload.key]} | {' | '.join(cells)} |")
    return "\n".join(lines) + f"\n\n{machine['processor']}, {machine['date']}.\n"


def renew(path, text):
    with open(path, encoding="utf-8") as file:
        page = file.read()
    begin, end = "<!-- measured: begin -->", "<!-- measured: end -->"
    head, rest = page.split(begin, 1)
    tail = rest.split(end, 1)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{head}{begin}\n{text}{end}{tail}")
