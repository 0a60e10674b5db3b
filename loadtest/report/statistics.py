"""What samples prove, with the standard library alone: ratios of turns that were measured in pairs, and the rate at which one half of
the turns still kept an objective. tests/test_statistics.py has how often their intervals hold the truth: as often as they say."""
import bisect
import itertools
import math

LEVEL = 0.95
FEWEST_PAIRS = 5  # of fewer no interval can be had: the widest of four would hold the truth in 87 of 100


def signed_ranks(pairs):
    """P(W <= w) of Wilcoxon's signed-rank statistic for w = 0, 1, ...: each rank is in the sum or not, with even chances."""
    ways = [1]
    for rank in range(1, pairs + 1):
        ways = [(ways[w] if w < len(ways) else 0) + (ways[w - rank] if w >= rank else 0) for w in range(len(ways) + rank)]
    total, below = 2 ** pairs, 0
    return [(below := below + count) / total for count in ways]


def shift(differences):
    """The Hodges-Lehmann estimate of where differences lie, (median, low, high): the median of all means of two of them, and those means
    that leave so many out at both ends that the interval holds the truth as nearly as can be in LEVEL of all cases. Exact wherever
    differences are spread evenly about it, as logarithms of ratios of two alike are; no other assumption. Without an interval (None,
    None) for fewer than FEWEST_PAIRS."""
    means = sorted((a + b) / 2 for i, a in enumerate(differences) for b in differences[i:])
    half = len(means) // 2
    median = means[half] if len(means) % 2 else (means[half - 1] + means[half]) / 2
    if len(differences) < FEWEST_PAIRS:
        return median, None, None
    chances = signed_ranks(len(differences))
    out = min(range(1, half + 1), key=lambda k: abs(1 - 2 * chances[k - 1] - LEVEL))
    return median, means[out - 1], means[len(means) - out]


def paired_ratio(ours, theirs):
    """Of figures that were measured side by side, pair by pair; None where a pair has none above zero."""
    differences = [math.log(a / b) for a, b in zip(ours, theirs, strict=True) if a > 0 and b > 0]
    if not differences or len(differences) < len(ours):
        return None
    names = ("median", "low", "high")
    return {**{name: None if log is None else math.exp(log) for name, log in zip(names, shift(differences))}, "pairs": len(differences)}


class Threshold:
    """The rate at which one half of the turns keep an objective, by a logistic curve over the rate's logarithm: its distribution after
    what has been seen, on a grid. Before, each rate between `low` and `high` is as likely as another, and each of SCALES. Whatever the
    rate, one turn in thirty may fail: a pause of the machine is nobody's."""
    LAPSE = 1 / 30
    POINTS = 320
    SCALES = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)  # of 1 + scale times the rate, 27 % of the turns keep it
    # Where a logistic curve's place and its steepness are both learnt: about as far from its middle as this, in scales, on either side.
    AWAY = 1.5

    def __init__(self, low, high):
        step = math.log(high / low) / (self.POINTS - 1)
        self.centres = [math.log(low) + step * i for i in range(self.POINTS)]
        self.logs = [[0.0] * len(self.SCALES) for _ in self.centres]
        self.seen = 0

    def observe(self, rate, kept):
        self.seen += 1
        for centre, logs in zip(self.centres, self.logs):
            for i, scale in enumerate(self.SCALES):
                away = (math.log(rate) - centre) / scale
                chance = (1 - self.LAPSE) / (1 + math.exp(max(-700.0, min(700.0, away))))
                logs[i] += math.log(max(chance if kept else 1 - chance, 1e-300))

    def weights(self):
        most = max(map(max, self.logs))
        found = [[math.exp(log - most) for log in logs] for logs in self.logs]
        total = sum(map(sum, found))
        return [[weight / total for weight in each] for each in found]

    def quantiles(self, *shares):
        cumulative = list(itertools.accumulate(map(sum, self.weights())))
        found = []
        for share in shares:
            i = min(bisect.bisect_left(cumulative, share), len(cumulative) - 1)
            below = cumulative[i - 1] if i else 0.0
            part = (share - below) / (cumulative[i] - below) - 0.5  # within the grid's cell
            found.append(math.exp(self.centres[i] + part * (self.centres[1] - self.centres[0])))
        return found

    def figure(self):
        low, median, high = self.quantiles((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)
        return {"median": median, "low": low, "high": high}

    def next(self):
        """The rate to try."""
        of_scales = [sum(column) for column in zip(*self.weights())]
        scale = math.exp(sum(weight * math.log(scale) for weight, scale in zip(of_scales, self.SCALES)))
        return self.quantiles(0.5)[0] * math.exp(self.AWAY * scale * (1 if self.seen % 2 else -1))


def threshold_ratio(ours, theirs, parts=200):
    """Of two Thresholds: the ratio of their rates, with its interval."""
    shares = [(i + 0.5) / parts for i in range(parts)]
    logs = [[math.log(rate) for rate in one.quantiles(*shares)] for one in (ours, theirs)]
    differences = sorted(a - b for a in logs[0] for b in logs[1])
    at = lambda share: math.exp(differences[min(len(differences) - 1, int(share * len(differences)))])
    return {"median": at(0.5), "low": at((1 - LEVEL) / 2), "high": at((1 + LEVEL) / 2)}
