"""What a workload has to hold: each bar judges the results of one."""

import statistics

from .contenders import CONTENDERS
from .figures import distinct, percent, short


class Verdict:
    def __init__(self, number, text, bar, ok):
        self.number = number
        self.text = text
        self.bar = bar
        self.ok = ok


class Floor:
    """tsock, or a variant of it, against the floor, in the same round."""
    def __init__(self, limit, contender=None):
        self.limit = limit
        self.contender = contender

    def judge(self, results, workload):
        contender = self.contender or workload.ours
        ratio = results.ratio(workload, contender)
        if ratio is None:
            return None
        ok = ratio >= self.limit if workload.higher else ratio <= self.limit
        text = distinct(ratio, self.limit, 2, ok)
        spread = percent(results.ratio_spread(workload, contender))
        who = f"{CONTENDERS[contender].title}: " if self.contender else ""
        return Verdict(ratio, f"{who}{text} x floor {spread}".rstrip(), f"{'>=' if workload.higher else '<='} {self.limit:.2f}", ok)


class FloorCpu:
    """What tsock spends on an operation, against the floor in the same round, where `Floor` judges a rate."""
    def __init__(self, limit):
        self.limit = limit

    def judge(self, results, workload):
        ratio = results.cpu_ratio(workload, workload.ours)
        if ratio is None:
            return None
        ok = ratio <= self.limit
        return Verdict(ratio, f"{distinct(ratio, self.limit, 2, ok)} x the floor's CPU time", f"<= {self.limit:.2f}", ok)


class Cheaper:
    """How many times another contender costs what tsock costs, both relative to the floor of their rounds."""
    def __init__(self, other, limit):
        self.other = other
        self.limit = limit

    def judge(self, results, workload):
        ours, theirs = results.ratio(workload, workload.ours), results.ratio(workload, self.other)
        if not ours or theirs is None:
            return None
        ratio = theirs / ours
        ok = ratio >= self.limit
        text = distinct(ratio, self.limit, 1, ok)
        return Verdict(ratio, f"{text} x cheaper than {self.other}", f">= {self.limit:g}", ok)


class Ahead:
    """Cheaper than every library."""
    limit = 1.0

    def judge(self, results, workload):
        ours = results.ratio(workload, workload.ours)
        others = {k: results.ratio(workload, k) for k in workload.contenders
                  if k not in workload.floors and CONTENDERS[k].program != CONTENDERS[workload.ours].program}
        others = {k: v for k, v in others.items() if v is not None}
        if ours is None or not others:
            return None
        best = (max if workload.higher else min)(others, key=others.get)
        ratio = ours / others[best] if workload.higher else others[best] / ours
        return Verdict(ratio, f"{ratio:.2f} x cheaper than the best library ({best})", "> 1", ratio > 1)


class Absolute:
    def __init__(self, limit, text, contender=None):
        self.limit = limit
        self.text = text
        self.contender = contender

    def judge(self, results, workload):
        value = results.value(workload, self.contender or workload.ours)
        if value is None:
            return None
        ok = value >= self.limit if workload.higher else value <= self.limit
        sign = ">=" if workload.higher else "<="
        return Verdict(value, f"{short(value)} {self.text}", f"{sign} {short(self.limit)}", ok)


class NoAllocation:
    def __init__(self, contender=None):
        self.contender = contender

    def judge(self, results, workload):
        value = results.value(workload, self.contender or workload.ours)
        if value is None:
            return None
        # A pool may still grow once in a while: less than one in ten thousand operations is none.
        return Verdict(value, f"{short(value)} for an operation", "= 0", value < 1e-4)


class Reference:
    """tsock here against tsock with few connections, in the same round."""
    def __init__(self, limit):
        self.limit = limit

    def judge(self, results, workload):
        ratios = [r["value"] / r["reference"] for r in results.rounds(workload, workload.ours) if r.get("reference")]
        if not ratios:
            return None
        ratio = statistics.median(ratios)
        return Verdict(ratio, f"{ratio:.2f} x its cost with 64 connections", f"<= {self.limit:.2f}", ratio <= self.limit)
