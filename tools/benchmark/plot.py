"""The plot of the report."""

import math

from .contenders import CONTENDERS


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plot_svg(panels, caption):
    """One panel for each workload: a dot for each contender on one logarithmic axis, the floor at 1."""
    columns, panel_width, row_height, head, gap = 2, 480, 19, 44, 22
    label_width, value_width, top = 148, 52, 74
    width = columns * panel_width + (columns + 1) * gap
    # Panels fill the shorter column first.
    heights, placed = [top] * columns, []
    for title, rows in panels:
        column = heights.index(min(heights))
        placed.append((gap + column * (panel_width + gap), heights[column], title, rows))
        heights[column] += head + len(rows) * row_height + gap
    height = max(heights) + 12
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
           'font-family="system-ui, sans-serif" font-size="12" role="img">',
           "<title>Server CPU time for an operation, relative to the hand-written epoll server</title>",
           "<style>.page{fill:#fff}.ink{fill:#1f2328}.dim{fill:#656d76}.grid{stroke:#d8dee4}.floor{stroke:#1f2328}"
           ".peer{fill:#8c959f}.peerline{stroke:#c4cbd2}.ours{fill:#0969da}.oursline{stroke:#0969da}"
           "@media (prefers-color-scheme:dark){.page{fill:#0d1117}.ink{fill:#e6edf3}.dim{fill:#8d96a0}.grid{stroke:#30363d}"
           ".floor{stroke:#e6edf3}.peer{fill:#768390}.peerline{stroke:#444c56}.ours{fill:#4493f8}.oursline{stroke:#4493f8}}"
           "</style>",
           f'<rect class="page" width="{width}" height="{height}"/>',
           f'<text class="ink" x="{gap}" y="30" font-size="17" font-weight="600">What an operation costs the server, '
           "relative to hand-written epoll</text>",
           f'<text class="dim" x="{gap}" y="50">{escaped(caption)}</text>']
    for x, y, title, rows in placed:
        low = min([1.0] + [r for _, r, _ in rows]) / 1.12
        high = max([2.0] + [r for _, r, _ in rows]) * 1.12
        left, right = x + label_width, x + panel_width - value_width

        def at(ratio):
            return left + (right - left) * math.log(ratio / low) / math.log(high / low)

        bottom = y + head + len(rows) * row_height - 4
        out.append(f'<text class="ink" x="{x}" y="{y + 14}" font-weight="600">{escaped(title)}</text>')
        ticks = [t for t in (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64) if low <= t <= high]
        for tick in ticks:
            style = 'class="floor"' if tick == 1 else 'class="grid"'
            out.append(f'<line {style} x1="{at(tick):.1f}" x2="{at(tick):.1f}" y1="{y + 34}" y2="{bottom}"/>')
            out.append(f'<text class="dim" x="{at(tick):.1f}" y="{y + 30}" font-size="10" text-anchor="middle">{tick:g}</text>')
        for i, (name, ratio, ours) in enumerate(rows):
            middle = y + head + i * row_height + 4
            kind, weight = ("ours", ' font-weight="600"') if ours else ("peer", "")
            out.append(f'<text class="ink" x="{x + label_width - 10}" y="{middle + 4}" text-anchor="end"{weight}>'
                       f"{escaped(name)}</text>")
            out.append(f'<line class="{kind}line" stroke-width="2" x1="{at(1):.1f}" x2="{at(ratio):.1f}" y1="{middle}" '
                       f'y2="{middle}"/>')
            out.append(f'<circle class="{kind}" cx="{at(ratio):.1f}" cy="{middle}" r="4.5"/>')
            out.append(f'<text class="ink" x="{x + panel_width}" y="{middle + 4}" text-anchor="end"{weight}>'
                       f"{ratio:.2f} x</text>")
    out.append("</svg>")
    return "\n".join(out) + "\n"


def panels_of(done, results):
    for workload in done:
        rows = []
        for key in workload.contenders:
            ratio = results.ratio(workload, key)
            if ratio is None or key in workload.floors:
                continue
            # A rate is turned round: to the right is always dearer.
            rows.append((CONTENDERS[key].title, 1 / ratio if workload.higher else ratio, key == workload.ours))
        if len(rows) > 1 and all(ratio > 0 for _, ratio, _ in rows) and workload.unit in ("us CPU/op", "MiB/s"):
            yield workload.title + (" (time)" if workload.higher else ""), sorted(rows, key=lambda row: row[1])
