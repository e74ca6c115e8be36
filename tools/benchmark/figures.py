"""Figures as people read them."""

def short(value):
    """Three or four digits, for people."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            scaled = value / (1e3 if unit == " k" else size)
            return f"{scaled:.{max(0, 3 - len(str(int(scaled))))}f}{unit}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    if abs(value) >= 1:
        return f"{value:.2f}"
    return f"{value:.4f}".rstrip("0") if abs(value) >= 1e-4 else f"{value:.0e}"


def percent(value):
    return "" if value is None else f"±{value * 100:.0f} %"


def distinct(number, limit, digits, ok):
    """With more digits where what is short would look as if it were not."""
    while not ok and digits < 4 and f"{number:.{digits}f}" == f"{limit:.{digits}f}":
        digits += 1
    return f"{number:.{digits}f}"
