"""Descriptions of estimators that need no import of their library: allowed parameters, limits, preset ``quick``.

Every engine describes its estimators with :class:`Facts`, so that ``check`` validates candidates in a fraction of a
second.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeGuard

from genreatlas.errors import Reason, nearest
from genreatlas.values import Params

if TYPE_CHECKING:
    from genreatlas.config import Candidate


@dataclass(frozen=True)
class Values:
    """Allowed values of a parameter: a test, and a text for messages."""

    allows: Callable[[object], bool]
    text: str


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def one_of(*choices: object) -> Values:
    """Allow the given strings, numbers or booleans."""
    text = ", ".join(str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in choices)
    return Values(lambda value: any(value == one and type(value) is type(one) for one in choices), text)


def whole(least: int, most: int | None = None) -> Values:
    """Allow integers from ``least`` to ``most``."""
    text = f"a whole number from {least}" + (f" to {most}" if most is not None else " on")
    return Values(
        lambda value: (
            isinstance(value, int) and _is_number(value) and least <= value and (most is None or value <= most)
        ),
        text,
    )


def number(
    above: float | None = None, least: float | None = None, most: float | None = None, below: float | None = None
) -> Values:
    """Allow numbers within bounds; ``above`` and ``below`` are exclusive."""

    def allows(value: object) -> bool:
        return (
            _is_number(value)
            and value == value
            and (above is None or value > above)
            and (least is None or value >= least)
            and (most is None or value <= most)
            and (below is None or value < below)
        )

    bounds = [f"above {above:g}"] if above is not None else []
    bounds += [f"from {least:g} on"] if least is not None and most is None else []
    bounds += [f"from {least:g} to {most:g}"] if least is not None and most is not None else []
    bounds += [f"at most {most:g}"] if least is None and most is not None else []
    bounds += [f"below {below:g}"] if below is not None else []
    return Values(allows, " ".join(["a number", " and ".join(bounds)]).strip())


def share(most_is_one: bool = True) -> Values:
    """Allow floats above 0 and at most (or below) 1. Integers are refused, as libraries read 1 as a count."""
    return Values(
        lambda value: isinstance(value, float) and (0 < value < 1 or (most_is_one and value == 1)),
        "a share above 0.0 and " + ("at most 1.0" if most_is_one else "below 1.0"),
    )


def list_of(values: Values, least: int = 0) -> Values:
    """Allow lists of values, such as the sizes of a network's layers."""

    def allows(value: object) -> bool:
        return isinstance(value, list | tuple) and len(value) >= least and all(map(values.allows, value))

    return Values(allows, f"a list of {values.text}")


def either(*rules: Values) -> Values:
    """Allow the values of any of several rules."""
    return Values(lambda value: any(rule.allows(value) for rule in rules), " or ".join(rule.text for rule in rules))


SWITCH = one_of(True, False)
#: A table or list with one value for each class or feature.
TABLE = Values(lambda value: isinstance(value, Mapping | list | tuple), "a table")
#: A value that only the library itself can check.
ANYTHING = Values(lambda value: True, "any value")


def faults(where: str, known: Mapping[str, Values], grid: Mapping[str, Sequence[object]]) -> list[str]:
    """List all errors in a grid, each with the valid values.

    Parameters
    ----------
    where : prefix of the messages: the location of the grid.
    known : parameter = allowed values, including ``scaler``.
    grid : parameter = values to try.
    """
    found = []
    for name, values in grid.items():
        if name not in known:
            found.append(f"{where}: unknown parameter {name!r}. {nearest(name, known)}")
            continue
        if not values:
            found.append(f"{where}: {name} = [] has no values to try. List some, or drop it.")
        for value in values:
            if known[name].allows(value):
                continue
            if name == "scaler" and isinstance(value, str):
                found.append(f"{where}: unknown scaler {value!r}. {nearest(value, known[name].text.split(', '))}")
            else:
                found.append(f"{where}: {name} = {value!r} is not possible. Allowed: {known[name].text}.")
    return found


@dataclass(frozen=True)
class Memory:
    """Peak memory of a fit, without the matrix, which is memory-mapped and shared by all fits.

    Attributes
    ----------
    value : bytes per value (row and column) of the training rows; 0 if they are read block by block.
    score : bytes per training row and class.
    weight : bytes per column and class.
    trees : default number of trees (parameter ``n_estimators``). Each node stores a number per class; a fully grown
        tree has about as many leaves as rows (divided by ``min_samples_leaf``).
    """

    value: int = 12
    score: int = 0
    weight: int = 24
    trees: int = 0

    def mb(self, params: Params, n_rows: int, n_features: int, n_classes: int) -> int:
        """Upper estimate for one candidate, in 2**20 bytes."""
        size = self.value * n_rows * n_features + self.score * n_rows * n_classes
        size += self.weight * (n_features + params.get("hidden", 0)) * n_classes
        if self.trees:
            size += 16 * params.get("n_estimators", self.trees) * _leaves(params, n_rows) * n_classes
        return _INTERPRETER_MB + (size >> 20)


def _leaves(params: Params, n_rows: int) -> int:
    """Maximum number of leaves of a tree."""
    least, depth, most = (params.get(name) for name in ("min_samples_leaf", "max_depth", "max_leaf_nodes"))
    bounds = [n_rows // least if isinstance(least, int) else n_rows if least is None else int(1 / least)]
    bounds += [2 ** min(depth, 40)] if isinstance(depth, int) else []
    bounds += [most] if isinstance(most, int) else []
    return min(bounds)


#: Memory of a worker with its libraries, including the blocks of scores when a fold is scored, in 2**20 bytes.
_INTERPRETER_MB = 350


@dataclass(frozen=True)
class Facts:
    """Description of an estimator.

    Attributes
    ----------
    params : parameters allowed in a grid = allowed values.
    grid : default grid: parameter = values to try.
    max_rows, max_classes : limits above which a candidate is skipped with a reason.
    weights : whether it takes a weight per row; else all rows have equal weight.
    importances : whether its models have importances of their own.
    memory : estimate of the memory of a fit.
    """

    params: Mapping[str, Values] = field(default_factory=dict)
    grid: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    max_rows: int = 5_000_000
    max_classes: int = 2_000
    weights: bool = True
    importances: bool = False
    memory: Memory = Memory()


@dataclass(frozen=True)
class Quick:
    """Entry of the preset ``quick``: an estimator with a small grid, and the table sizes on which it is tried.

    Attributes
    ----------
    why : what the estimator is good at.
    least_rows, most_rows : minimum and maximum number of rows of the training matrix.
    most_columns, most_classes : maximum number of columns and of classes.
    """

    engine: str
    estimator: str
    grid: Mapping[str, tuple[object, ...]]
    why: str
    least_rows: int = 0
    most_rows: int = 10**12
    most_columns: int = 10**12
    most_classes: int = 10**12

    def suits(self, n_rows: int, n_columns: int, n_classes: int) -> bool:
        """Whether the estimator is tried on a table of this size."""
        return (
            self.least_rows <= n_rows <= self.most_rows
            and n_columns <= self.most_columns
            and n_classes <= self.most_classes
        )

    @property
    def candidate(self) -> "Candidate":
        """The entry as a configuration lists it."""
        from genreatlas.config import Candidate  # here, as Spark tasks import this module without configuration

        grid = {name: list(values) for name, values in self.grid.items()}
        return Candidate(engine=self.engine, estimator=self.estimator, grid=grid)


def limits(estimator: Facts, n_rows: int, n_classes: int) -> tuple[Reason, str] | None:
    """Why a data set is too large for the estimator, as reason code and message; None if it is not."""
    if n_rows > estimator.max_rows:
        return Reason.TOO_MANY_ROWS, f"{n_rows:,} rows; this estimator takes at most {estimator.max_rows:,}"
    if n_classes > estimator.max_classes:
        return Reason.TOO_MANY_CLASSES, f"{n_classes:,} classes; this estimator takes at most {estimator.max_classes:,}"
    return None
