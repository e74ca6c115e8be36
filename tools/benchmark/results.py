"""What was measured, and its statistics."""

import statistics


class Results:
    def __init__(self):
        self.data = {}     # workload key -> contender key -> list of rounds
        self.failures = {}  # (workload key, contender key) -> text

    def add(self, workload, contender, result):
        self.data.setdefault(workload.key, {}).setdefault(contender, []).append(result)

    def rounds(self, workload, contender):
        return self.data.get(workload.key, {}).get(contender, [])

    def value(self, workload, contender):
        rounds = self.rounds(workload, contender)
        return statistics.median(r["value"] for r in rounds) if rounds else None

    def extra(self, workload, contender, name):
        values = [r[name] for r in self.rounds(workload, contender) if name in r]
        return statistics.median(values) if values else None

    def spread(self, workload, contender):
        return spread_of(r["value"] for r in self.rounds(workload, contender))

    def ratios(self, workload, contender):
        """This contender's value to the floor's in the same round, for every round."""
        floor = self.floor(workload, "value", max if workload.higher else min)
        return [r["value"] / floor[r["round"]] for r in self.rounds(workload, contender) if floor.get(r["round"])]

    def floor(self, workload, name, choose):
        """Round -> the floor's figure. Of several floors it is the one with the best median: the best of each round
        would be better than any of them, by their noise."""
        floors = [rounds for rounds in (self.rounds(workload, key) for key in workload.floors) if rounds]
        best = choose(floors, key=lambda rounds: statistics.median(r[name] for r in rounds), default=[])
        return {r["round"]: r[name] for r in best}

    def cpu_ratio(self, workload, contender):
        rounds = [r for r in self.rounds(workload, contender) if "cpu" in r]
        floor = self.floor(workload, "cpu", min) if rounds else {}
        ratios = [r["cpu"] / floor[r["round"]] for r in rounds if floor.get(r["round"])]
        return statistics.median(ratios) if ratios else None

    def ratio(self, workload, contender):
        ratios = self.ratios(workload, contender)
        return statistics.median(ratios) if ratios else None

    def ratio_spread(self, workload, contender):
        return spread_of(self.ratios(workload, contender))


def spread_of(values):
    """Half of the range that the middle half of the values lies in, as a part of the median."""
    values = sorted(values)
    middle = statistics.median(values) if values else 0
    if len(values) < 2 or not middle:
        return None
    if len(values) < 5:
        return (values[-1] - values[0]) / 2 / middle
    quarters = statistics.quantiles(values, n=4, method="inclusive")
    return (quarters[2] - quarters[0]) / 2 / middle


class Summary:
    """A workload's line: what was asked, what came out."""

    def __init__(self, workload, results):
        self.workload = workload
        self.verdicts = [v for v in (bar.judge(results, workload) for bar in workload.bars) if v is not None]
        missing = len(workload.bars) - len(self.verdicts)
        if not self.verdicts:
            self.state = "not measured"
        elif not all(v.ok for v in self.verdicts):
            self.state = "short"
        else:
            self.state = "ok" if missing == 0 else "ok, as far as measured"
