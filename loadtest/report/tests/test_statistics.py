"""How often the intervals hold a truth that is known, since it was made up."""
import math
import random
import unittest

from loadtest.report import statistics


class ShiftTest(unittest.TestCase):
    def test_ranks_of_four(self):
        self.assertEqual([1 / 16, 2 / 16, 3 / 16, 5 / 16], statistics.signed_ranks(4)[:4])

    def test_of_five_the_outermost_means(self):
        self.assertEqual((3, 1, 5), statistics.shift([1, 2, 3, 4, 5]))

    def test_fewer_than_five_have_no_interval(self):
        self.assertEqual((2.5, None, None), statistics.shift([1, 2, 3, 4]))

    def test_a_pause_in_one_turn_does_not_decide(self):
        median, low, high = statistics.shift([-0.50, -0.52, -0.48, -0.51, -0.49, 9.0])
        self.assertAlmostEqual(-0.495, median, delta=0.01)
        self.assertLess(high, 5)
        self.assertGreater(low, -0.53)

    def test_holds_the_truth_as_often_as_it_says(self):
        rng = random.Random(1)
        draws = {"normal": lambda: rng.gauss(0, 1), "Laplace": lambda: rng.choice((-1, 1)) * rng.expovariate(1),
                 "a pause now and then": lambda: rng.gauss(0, 1 if rng.random() < 0.9 else 10)}
        for pairs in (5, 6, 7, 9):
            for name, draw in draws.items():
                held = 0
                for _ in range(2500):
                    _, low, high = statistics.shift([draw() + 7 for _ in range(pairs)])
                    held += low <= 7 <= high
                with self.subTest(pairs=pairs, name=name):
                    self.assertTrue(0.925 < held / 2500 < 0.975, held / 2500)  # 93 to 97 %, and 1 % of chance


class PairedRatioTest(unittest.TestCase):
    def test_what_both_have_is_no_part_of_it(self):
        theirs = [10, 30, 12, 55, 21, 17]  # the machine's doing, for both
        found = statistics.paired_ratio([0.8 * each * wobble for each, wobble in zip(theirs, (1, 1.01, 0.99, 1, 1.01, 0.99))], theirs)
        self.assertAlmostEqual(0.8, found["median"], delta=0.01)
        self.assertTrue(0.78 < found["low"] < found["high"] < 0.82)
        self.assertEqual(6, found["pairs"])

    def test_alike_is_one(self):
        self.assertEqual({"median": 1, "low": 1, "high": 1, "pairs": 5}, statistics.paired_ratio([3.0] * 5, [3.0] * 5))

    def test_without_a_figure_there_is_no_ratio(self):
        self.assertIsNone(statistics.paired_ratio([1, 0], [1, 1]))
        self.assertIsNone(statistics.paired_ratio([], []))


class ThresholdTest(unittest.TestCase):
    def searched(self, rng, scale, truth, turns=24, lapse=0.02):
        found = statistics.Threshold(1000, 15_000)
        for _ in range(turns):
            rate = found.next()
            chance = (1 - lapse) / (1 + math.exp(max(-700.0, min(700.0, (math.log(rate) - math.log(truth)) / scale))))
            found.observe(rate, rng.random() < chance)
        return found

    def test_holds_the_truth_as_often_as_it_says(self):
        rng = random.Random(2)
        held, every = 0, 0
        for scale in (0.02, 0.05, 0.1, 0.15):
            for _ in range(60):
                truth = rng.uniform(3000, 11_000)
                figure = self.searched(rng, scale, truth).figure()
                held, every = held + (figure["low"] <= truth <= figure["high"]), every + 1
        self.assertTrue(0.92 < held / every < 0.99, held / every)

    def test_a_sharp_one_is_found_closely(self):
        figure = self.searched(random.Random(3), 0.01, 6000, lapse=0).figure()
        self.assertAlmostEqual(1, figure["median"] / 6000, delta=0.03)
        self.assertLess(figure["high"] / figure["low"], 1.12)

    def test_of_two(self):
        rng = random.Random(4)
        ratio = statistics.threshold_ratio(self.searched(rng, 0.02, 8000), self.searched(rng, 0.02, 5000))
        self.assertAlmostEqual(1.6, ratio["median"], delta=0.08)
        self.assertTrue(ratio["low"] < 1.6 < ratio["high"])

    def test_all_kept_says_that_it_is_above(self):
        found = statistics.Threshold(1000, 15_000)
        for rate in (2000, 4000, 8000):
            found.observe(rate, True)
        self.assertGreater(found.quantiles(0.025)[0], 6000)


if __name__ == "__main__":
    unittest.main()
