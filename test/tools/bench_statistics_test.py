"""The statistics of tools/bench: medians, spreads, ratios by round, and what the bars make of them."""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))

from benchmark.bars import Absolute, Ahead, Cheaper, Floor, NoAllocation, Reference  # noqa: E402
from benchmark.figures import distinct, percent, short  # noqa: E402
from benchmark.results import Results, Summary, spread_of  # noqa: E402
from benchmark.workloads import Workload, workloads  # noqa: E402


def workload(bars, higher=False):
    return Workload("w", "a workload", None, ["epoll", "tsock", "libuv", "tsocket"], bars, higher=higher)


def results(values):
    """Contender -> the values of its rounds."""
    measured = Results()
    for contender, rounds in values.items():
        for number, value in enumerate(rounds):
            if value is not None:
                measured.add(workload([]), contender, {"round": number, "value": value})
    return measured


class Statistics(unittest.TestCase):
    def test_a_value_is_the_median_of_its_rounds(self):
        self.assertEqual(results({"tsock": [3, 100, 1]}).value(workload([]), "tsock"), 3)

    def test_nothing_measured_has_no_value_and_no_ratio(self):
        self.assertIsNone(results({}).value(workload([]), "tsock"))
        self.assertIsNone(results({"tsock": [1]}).ratio(workload([]), "tsock"))

    def test_a_ratio_pairs_rounds_so_that_drift_cancels(self):
        # The machine became four times as slow; medians of each side alone would say 2.
        measured = results({"epoll": [1, 2, 4], "tsock": [2, 4, 8]})
        self.assertEqual(measured.ratio(workload([]), "tsock"), 2)

    def test_a_round_without_the_floor_does_not_count(self):
        measured = results({"epoll": [1, None, 1], "tsock": [3, 50, 3]})
        self.assertEqual(measured.ratios(workload([]), "tsock"), [3, 3])

    def test_of_several_floors_the_one_with_the_best_median_counts(self):
        several = Workload("w", "a workload", None, ["epoll", "other", "tsock"], [], floors=("epoll", "other"))
        measured = results({"epoll": [2, 3, 2], "other": [3, 2, 3], "tsock": [4, 6, 4]})
        # The cheaper one of each round would be 2, so that the ratio of the second round would be 3.
        self.assertEqual(measured.ratios(several, "tsock"), [2, 2, 2])

    def test_the_spread_is_half_of_the_middle_half(self):
        self.assertAlmostEqual(spread_of([1, 2, 3, 4, 5]), (4 - 2) / 2 / 3)

    def test_the_spread_of_few_values_is_half_of_their_range(self):
        self.assertAlmostEqual(spread_of([1, 3]), 0.5)
        self.assertIsNone(spread_of([1]))
        self.assertIsNone(spread_of([]))

    def test_an_outlier_hardly_moves_the_spread(self):
        self.assertLess(spread_of([10, 10, 10, 10, 10, 10, 10, 1000]), 0.01)


class Bars(unittest.TestCase):
    def test_the_floor_is_a_ceiling_for_costs_and_a_floor_for_rates(self):
        measured = results({"epoll": [1, 1], "tsock": [1.2, 1.2]})
        self.assertFalse(Floor(1.1).judge(measured, workload([])).ok)
        self.assertTrue(Floor(1.1).judge(measured, workload([], higher=True)).ok)

    def test_a_bar_is_met_at_its_limit(self):
        measured = results({"epoll": [1.0], "tsock": [1.25]})
        self.assertTrue(Floor(1.25).judge(measured, workload([])).ok)

    def test_what_is_short_by_little_shows_more_digits(self):
        self.assertEqual(distinct(1.054, 1.05, 2, ok=False), "1.054")
        self.assertEqual(distinct(1.054, 1.05, 2, ok=True), "1.05")

    def test_cheaper_compares_through_the_floor_of_each_round(self):
        measured = results({"epoll": [1, 2], "tsock": [2, 4], "tsocket": [20, 40]})
        verdict = Cheaper("tsocket", 10).judge(measured, workload([]))
        self.assertEqual(verdict.number, 10)
        self.assertTrue(verdict.ok)

    def test_ahead_takes_the_best_library(self):
        measured = results({"epoll": [1], "tsock": [2], "libuv": [1.9], "tsocket": [9]})
        verdict = Ahead().judge(measured, workload([]))
        self.assertFalse(verdict.ok)
        self.assertIn("libuv", verdict.text)

    def test_an_absolute_bar_and_no_allocation(self):
        measured = results({"tsock": [600]})
        self.assertTrue(Absolute(600, "bytes").judge(measured, workload([])).ok)
        self.assertFalse(Absolute(599, "bytes").judge(measured, workload([])).ok)
        self.assertFalse(NoAllocation().judge(results({"tsock": [1e-3]}), workload([])).ok)
        self.assertTrue(NoAllocation().judge(results({"tsock": [1e-5]}), workload([])).ok)

    def test_a_reference_is_of_the_same_round(self):
        measured = Results()
        for number, (value, few) in enumerate(((2, 2), (9, 3), (4, 4))):
            measured.add(workload([]), "tsock", {"round": number, "value": value, "reference": few})
        self.assertEqual(Reference(1.25).judge(measured, workload([])).number, 1)

    def test_a_summary_says_what_is_short_or_missing(self):
        measured = results({"epoll": [1], "tsock": [1.2]})
        self.assertEqual(Summary(workload([Floor(1.1)]), measured).state, "short")
        self.assertEqual(Summary(workload([Floor(1.3)]), measured).state, "ok")
        self.assertEqual(Summary(workload([Floor(1.3), Cheaper("tsocket", 3)]), measured).state,
                         "ok, as far as measured")
        self.assertEqual(Summary(workload([Cheaper("tsocket", 3)]), measured).state, "not measured")


class Figures(unittest.TestCase):
    def test_figures_have_three_or_four_digits(self):
        for value, text in ((0, "0"), (None, ""), (0.01234, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (1234, "1234"),
                            (12345, "12.3 k"), (4.5e6, "4.50 M"), (2e9, "2.00 G"), (2e-5, "2e-05")):
            self.assertEqual(short(value), text)

    def test_a_percentage_without_a_value_is_empty(self):
        self.assertEqual(percent(None), "")
        self.assertEqual(percent(0.034), "±3 %")

    def test_every_workload_has_a_name_of_its_own_and_bars(self):
        keys = [w.key for w in workloads()]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertTrue(all(w.bars for w in workloads()))


if __name__ == "__main__":
    unittest.main()
