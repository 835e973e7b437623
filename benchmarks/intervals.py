"""Coverage of confidence intervals, by simulation: ``make intervals`` writes intervals.json and docs/intervals.md.

Songs of a group share a probability of being correct, drawn per group from a beta or a probit-normal distribution with
the given mean (the true accuracy) and intra-group correlation. The constants of :mod:`genreatlas.metrics.intervals`
were chosen on the cells of ``TUNED``; a sample of the cells of ``HELD_OUT`` was used to check that choice.
"""

import argparse
import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from measuring import Result
from page import replace_figures
from scipy.stats import beta, norm
from scipy.stats import t as student_t

from genreatlas.metrics.figures import macro_f1
from genreatlas.metrics.intervals import LEAST_GROUPS, LEAST_INFORMATIVE, Grouped, interval

ROOT = Path(__file__).parents[1]
REPEATS = 2000
#: Cells with a coverage below CLOSE are simulated again with AGAIN times as many new parts, and that result is used.
CLOSE, AGAIN = 0.94, 8


@dataclass(frozen=True)
class Cell:
    """Parameters of simulated test parts; ``sizes`` is the number of songs per group, or the name of a distribution."""

    groups: int
    accuracy: float
    correlation: float
    sizes: int | str
    chances: str

    def draw(self, repeats: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of correct predictions and of songs, each (repeats, groups)."""
        songs = _sizes(self.sizes, (repeats, self.groups), rng)
        return rng.binomial(songs, _chances(self, songs.shape, rng)), songs


def cells(groups, accuracies, correlations, sizes) -> list[Cell]:
    """All combinations, with both distributions of probabilities (only one without correlation)."""
    every = itertools.product(groups, accuracies, correlations, sizes, ("beta", "probit"))
    return [Cell(*cell) for cell in every if cell[2] or cell[4] == "beta"]


TUNED = [
    *cells(
        (5, 10, 20, 50, 100), (0.5, 0.7, 0.8, 0.9, 0.95, 0.99), (0.0, 0.1, 0.3, 0.6), (10, 20, "geometric", "tenth")
    ),
    *cells((500,), (0.5, 0.9, 0.99), (0.1, 0.6), (10, "geometric")),
]
HELD_OUT = [
    *cells((6, 8, 13, 30, 70), (0.6, 0.75, 0.85, 0.93, 0.97, 0.995), (0.05, 0.2, 0.45, 0.6), (3, 30, "uniform", "log")),
    *cells((200,), (0.85, 0.97), (0.2, 0.6), (3, "log")),
]


def _sizes(kind: int | str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    if isinstance(kind, int):
        return np.full(shape, kind)
    if kind == "uniform":
        return rng.integers(1, 20, shape)
    if kind == "log":
        return np.ceil(np.exp(rng.normal(1.0, 1.0, shape))).astype(int)
    songs = rng.geometric(0.2, shape)
    if kind == "tenth":  # one group has in addition a tenth of all songs
        songs[:, 0] += np.ceil(songs.sum(axis=1) / 9.0).astype(int)
    return songs


def _chances(cell: Cell, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    mean, correlation = cell.accuracy, cell.correlation
    if not correlation:
        return np.full(shape, mean)
    if cell.chances == "beta":
        weight = (1.0 - correlation) / correlation
        return rng.beta(mean * weight, (1.0 - mean) * weight, shape)
    place, spread = probit(mean, correlation)
    return norm.cdf(place + spread * rng.standard_normal(shape))


def probit(mean: float, correlation: float) -> tuple[float, float]:
    """Mean and standard deviation on the probit scale for a given mean and correlation of correct predictions."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(201)
    weights = weights / weights.sum()
    low, high = 0.0, 60.0
    for _ in range(60):
        spread = (low + high) / 2.0
        place = norm.ppf(mean) * np.sqrt(1.0 + spread**2)
        variance = (weights * (norm.cdf(place + spread * nodes) - mean) ** 2).sum()
        low, high = (spread, high) if variance < correlation * mean * (1.0 - mean) else (low, spread)
    return place, spread


def ours(right: np.ndarray, songs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The package's interval."""
    repeats, groups = right.shape
    figure = np.repeat(np.arange(repeats), groups)
    return Grouped.of(right.ravel(), songs.ravel(), figure, repeats).interval()


def korn_graubard(right: np.ndarray, songs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Korn and Graubard's interval (1998): Clopper-Pearson on the design-based effective sample size, adjusted for
    degrees of freedom.
    """
    groups = right.shape[1]
    n = songs.sum(axis=1).astype(float)
    share = right.sum(axis=1) / n
    variance = groups / (groups - 1.0) * ((right - share[:, None] * songs) ** 2).sum(axis=1) / n**2
    known = (variance > 0) & (share > 0) & (share < 1)
    effective = np.where(known, share * (1.0 - share) / np.where(known, variance, 1.0), n)
    ratio = (student_t.ppf(0.975, n - 1.0) / student_t.ppf(0.975, groups - 1.0)) ** 2
    effective = np.minimum(np.where(known, effective * ratio, n), n)
    hits = share * effective
    low = np.where(hits > 0, beta.ppf(0.025, hits, effective - hits + 1.0), 0.0)
    high = np.where(hits < effective, beta.ppf(0.975, hits + 1.0, effective - hits), 1.0)
    return low, high


def bootstrap(right: np.ndarray, songs: np.ndarray, samples: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap over groups, which the package used formerly."""
    rng = np.random.default_rng(1)
    ends = []
    for hits, n in zip(right, songs, strict=True):
        drawn = rng.multinomial(len(n), np.full(len(n), 1.0 / len(n)), samples)
        ends.append(np.quantile((drawn @ hits) / (drawn @ n), [0.025, 0.975]))
    low, high = np.array(ends).T
    return low, high


def coverage(methods, cell: Cell, repeats: int, seed: int) -> np.ndarray:
    """Coverage and mean width of the intervals of each method, on the same simulated parts."""
    right, songs = cell.draw(repeats, np.random.default_rng(seed))
    found = []
    for method in methods:
        low, high = method(right, songs)
        held = (low <= cell.accuracy + 1e-12) & (cell.accuracy <= high + 1e-12)
        found.append((held.mean(), (high - low).mean()))
    return np.array(found)


def proportions(name: str, grid: list[Cell], repeats: int) -> list[Result]:
    """Coverage and width over the cells of a grid, compared with Korn and Graubard's interval."""
    both = np.array([coverage((ours, korn_graubard), cell, repeats, seed) for seed, cell in enumerate(grid)])
    for place in np.flatnonzero(both[:, 0, 0] < CLOSE):  # the lowest of a thousand is biased by selection
        both[place] = coverage((ours, korn_graubard), grid[place], AGAIN * repeats, 10_000 + int(place))
    mine, theirs = both[:, 0], both[:, 1]
    worst, widest = int(mine[:, 0].argmin()), int((mine[:, 1] / theirs[:, 1]).argmax())
    weakest = int(theirs[:, 0].argmin())
    n, ratio = len(grid), mine[:, 1] / theirs[:, 1]
    return [
        Result(f"{name}_least_coverage", 100 * mine[worst, 0], "%", 93.0, n=n, note=f"worst: {words(grid[worst])}"),
        Result(f"{name}_mean_coverage", 100 * mine[:, 0].mean(), "%", 98.0, "at most", n=n, note="mean over cells"),
        Result(f"{name}_width", mine[:, 1].sum() / theirs[:, 1].sum(), "x", 1.15, "at most", n=n,
               note="mean width over all cells, against Korn and Graubard's"),
        Result(f"{name}_width_where_both_cover", _width(mine, theirs, theirs[:, 0] >= 0.93), "x", n=n,
               note="the same over the cells where theirs holds the truth in 93 % or more"),
        Result(f"{name}_widest_cell", ratio[widest], "x", n=n, note=f"{words(grid[widest])}: mostly all right"),
        Result(f"{name}_korn_graubard_least", 100 * theirs[weakest, 0], "%", n=n,
               note=f"theirs, worst cell: {words(grid[weakest])}"),
        Result(f"{name}_korn_graubard_below", 100 * float((theirs[:, 0] < 0.93).mean()), "% of cells", n=n,
               note="cells in which theirs holds the truth in less than 93 %"),
    ]  # fmt: skip


def _width(mine: np.ndarray, theirs: np.ndarray, cells: np.ndarray) -> float:
    return float(mine[cells, 1].sum() / theirs[cells, 1].sum())


def words(cell: Cell) -> str:
    """Text that describes a cell."""
    sizes = f"{cell.sizes} songs each" if isinstance(cell.sizes, int) else f"sizes: {cell.sizes}"
    return (
        f"{cell.groups} groups, {sizes}, accuracy {cell.accuracy:g}, correlation {cell.correlation:g}, {cell.chances}"
    )


def before(repeats: int) -> list[Result]:
    """Coverage of the bootstrap over groups for accuracy."""
    found = []
    for groups, accuracy in ((5, 0.99), (20, 0.95), (100, 0.8)):
        cell = Cell(groups, accuracy, 0.3, 10, "beta")
        (held, _), (mine, _) = coverage((bootstrap, ours), cell, repeats, 1)
        found.append(Result(f"bootstrap_accuracy_{groups}_groups", 100 * held, "%", ours=100 * mine, n=repeats,
                            note=f"percentile bootstrap, {words(cell)}; ours: {100 * mine:.1f} %"))  # fmt: skip
    return found


@dataclass(frozen=True)
class Songs:
    """Results on simulated test parts: numbers of correct, predicted and true songs per group and genre, each
    (repeats, n_groups, n_genres).
    """

    right: np.ndarray
    called: np.ndarray
    true: np.ndarray

    def macro_f1(self, repeat: int, weights: np.ndarray) -> np.ndarray:
        """Macro-F1 of one part with every group counted ``weights`` times."""
        sums = [weights @ one[repeat] for one in (self.right, self.called, self.true)]
        return macro_f1(*sums)

    def informative(self, repeat: int) -> int:
        """The smaller of the numbers of groups with a correct and with a wrong prediction."""
        right, true = self.right[repeat].sum(axis=1), self.true[repeat].sum(axis=1)
        return int(min((right > 0).sum(), (right < true).sum()))


def answers(chance: np.ndarray, genres: int, songs_each: int, rng: np.random.Generator) -> Songs:
    """Simulate predictions of a model; errors are uniform over the other genres. Group g has genre g mod n_genres."""
    repeats, groups = chance.shape
    genre = np.arange(groups) % genres
    hits = rng.binomial(songs_each, chance)
    wrong = rng.multinomial(songs_each - hits, np.full(genres - 1, 1.0 / (genres - 1)))
    right, called, true = (np.zeros((repeats, groups, genres)) for _ in range(3))
    place = np.arange(groups)
    right[:, place, genre], true[:, place, genre], called[:, place, genre] = hits, songs_each, hits
    for shift in range(1, genres):
        called[:, place, (genre + shift) % genres] += wrong[:, :, shift - 1]
    return Songs(right, called, true)


def resampled(groups: int, genres: int, accuracy: float, correlation: float, repeats: int) -> dict[str, list[bool]]:
    """Whether bootstrap intervals of macro-F1, and of the difference of two equal models, contain the true value.

    The two models have the same probability of being correct in half of the groups.
    """
    rng = np.random.default_rng([groups, genres, round(100 * accuracy), round(100 * correlation)])
    cell = Cell(groups, accuracy, correlation, 5, "beta")
    many = answers(_chances(cell, (1, 60_000), rng), genres, 5, rng)
    truth = float(many.macro_f1(0, np.ones((1, 60_000)))[0])
    chance = _chances(cell, (repeats, groups), rng)
    other = np.where(rng.random(chance.shape) < 0.5, chance, _chances(cell, chance.shape, rng))
    one, two = (answers(chances, genres, 5, rng) for chances in (chance, other))
    whole = np.ones((1, groups))
    held: dict[str, list[bool]] = {"macro_f1": [], "macro_f1_trusted": [], "difference": []}
    for repeat in range(repeats):
        weights = rng.multinomial(groups, np.full(groups, 1.0 / groups), 300).astype(float)
        mine, theirs = one.macro_f1(repeat, weights), two.macro_f1(repeat, weights)
        value, value_of_other = one.macro_f1(repeat, whole)[0], two.macro_f1(repeat, whole)[0]
        low, high = interval(mine, around=value)
        held["macro_f1"].append(bool(low <= truth <= high))
        if one.informative(repeat) >= LEAST_INFORMATIVE and high > low:
            held["macro_f1_trusted"].append(bool(low <= truth <= high))
        gains = mine - theirs
        low, high = interval(gains - gains.mean() + value - value_of_other)
        held["difference"].append(bool(low <= 0.0 <= high))
    return held


def bootstraps(repeats: int) -> list[Result]:
    """Coverage of bootstrap intervals by number of groups, over accuracies and correlations."""
    found = []
    for genres, groups in itertools.product((4, 10), (10, 20, LEAST_GROUPS, 60)):
        every = [
            resampled(groups, genres, accuracy, correlation, repeats)
            for accuracy, correlation in itertools.product((0.6, 0.8, 0.95), (0.0, 0.3, 0.6))
        ]
        for figure in every[0]:
            shares = [np.mean(one[figure]) for one in every if len(one[figure]) >= repeats / 5]
            if shares:
                found.append(
                    Result(
                        f"bootstrap_{figure}_{genres}_genres_{groups}_groups",
                        100 * float(np.mean(shares)),
                        "%",
                        n=len(shares) * repeats,
                        note=f"worst of {len(shares)} cells {100 * min(shares):.1f} %",
                    )
                )
    return found


_BEGIN = "<!-- figures: begin (written by make intervals) -->"


def write_page(results: dict[str, dict], page: Path) -> None:
    """Replace the text between the markers."""
    lines = ["", "| key | value | target | n | |", "|---|---|---|---|---|"]
    for key, row in results.items():
        bar = "" if row["bar"] is None else f"{row['sense']} {row['bar']:g}{'' if row['met'] else ' (missed)'}"
        lines.append(f"| {key} | {row['value']:.4g} {row['unit']} | {bar} | {row['n']} | {row['note']} |")
    replace_figures(page, _BEGIN, [*lines, ""])


def main() -> None:
    """Run the simulations, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=REPEATS, help="simulated test parts per cell")
    parser.add_argument("--sample", type=int, default=1, help="run only every n-th cell, for a trial")
    parsed = parser.parse_args()
    results = [
        *proportions("tuned", TUNED[:: parsed.sample], parsed.repeats),
        *proportions("held_out", HELD_OUT[:: parsed.sample], parsed.repeats),
        *before(min(parsed.repeats, 600)),
        *bootstraps(min(parsed.repeats, 250) // parsed.sample),
    ]
    found = {
        result.key: asdict(result) | {"met": result.met if result.met is None else bool(result.met)}
        for result in results
    }
    for row in found.values():
        print(
            row["key"], f"{row['value']:.4g}", row["unit"], row["note"], "" if row["met"] in (None, True) else "MISSED"
        )
    if parsed.sample == 1:
        (ROOT / "benchmarks" / "intervals.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        write_page(found, ROOT / "docs" / "intervals.md")


if __name__ == "__main__":
    main()
