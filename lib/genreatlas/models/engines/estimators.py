"""What is known of an estimator without importing its library: values of a grid, limits, its part of ``quick``.

Every engine says this of each of its estimators (:class:`Facts`), so that ``check`` judges a list of candidates in a
fraction of a second.
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
    """The values that one parameter takes: a test, and the same in words."""

    allows: Callable[[object], bool]
    text: str


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def one_of(*choices: object) -> Values:
    """One of a few texts, numbers or truth values."""
    text = ", ".join(str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in choices)
    return Values(lambda value: any(value == one and type(value) is type(one) for one in choices), text)


def whole(least: int, most: int | None = None) -> Values:
    """A whole number."""
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
    """A number within bounds."""

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
    """A part of something, written with a point: 1 would be a count where 1.0 is all."""
    return Values(
        lambda value: isinstance(value, float) and (0 < value < 1 or (most_is_one and value == 1)),
        "a share above 0.0 and " + ("at most 1.0" if most_is_one else "below 1.0"),
    )


def list_of(values: Values, least: int = 0) -> Values:
    """A list, such as the sizes of a network's layers."""

    def allows(value: object) -> bool:
        return isinstance(value, list | tuple) and len(value) >= least and all(map(values.allows, value))

    return Values(allows, f"a list of {values.text}")


def either(*rules: Values) -> Values:
    """What any of several rules allows."""
    return Values(lambda value: any(rule.allows(value) for rule in rules), " or ".join(rule.text for rule in rules))


SWITCH = one_of(True, False)
#: One value for each class or feature.
TABLE = Values(lambda value: isinstance(value, Mapping | list | tuple), "a table")
#: A table, a list or a text that only the library itself can judge.
ANYTHING = Values(lambda value: True, "any value")


def faults(where: str, known: Mapping[str, Values], grid: Mapping[str, Sequence[object]]) -> list[str]:
    """Everything that is wrong in a grid, each with what is valid instead.

    Parameters
    ----------
    where : what the grid belongs to, for the message.
    known : parameter = values that it takes, ``scaler`` among them.
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
    """Bytes that a fit holds at its peak, beside the matrix, which lies in a file that all fits share.

    Attributes
    ----------
    value : for each value of the rows that are fitted on; 0 where they are read block by block.
    score : for each of these rows and each class.
    weight : for each column and class.
    trees : how many fully grown trees there are unless ``n_estimators`` says so: each has a number for every class in
        every node, and about as many leaves as rows (divided by ``min_samples_leaf``).
    """

    value: int = 12
    score: int = 0
    weight: int = 24
    trees: int = 0

    def mb(self, params: Params, n_rows: int, n_features: int, n_classes: int) -> int:
        """Of one candidate, in 2**20 bytes; an upper estimate."""
        size = self.value * n_rows * n_features + self.score * n_rows * n_classes
        size += self.weight * (n_features + params.get("hidden", 0)) * n_classes
        if self.trees:
            size += 16 * params.get("n_estimators", self.trees) * _leaves(params, n_rows) * n_classes
        return _INTERPRETER_MB + (size >> 20)


def _leaves(params: Params, n_rows: int) -> int:
    """Most leaves of a tree."""
    least, depth, most = (params.get(name) for name in ("min_samples_leaf", "max_depth", "max_leaf_nodes"))
    bounds = [n_rows // least if isinstance(least, int) else n_rows if least is None else int(1 / least)]
    bounds += [2 ** min(depth, 40)] if isinstance(depth, int) else []
    bounds += [most] if isinstance(most, int) else []
    return min(bounds)


#: A worker with its libraries, and the blocks of scores when a fold is judged.
_INTERPRETER_MB = 350


@dataclass(frozen=True)
class Facts:
    """What a list of candidates needs to know of one estimator.

    Attributes
    ----------
    params : parameters that a grid may name, with the values that they take.
    grid : parameter = values tried where the configuration gives no grid.
    max_rows, max_classes : above these a candidate is skipped, with a reason.
    weights : whether it takes a weight per row; where it does not, all rows count the same.
    importances : whether its models have importances of their own.
    memory : what a fit holds.
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
    """An estimator that the preset ``quick`` tries, with a small grid, on tables of a size at which it is worth it.

    Attributes
    ----------
    why : what the estimator is good at.
    least_rows, most_rows : rows of the training matrix between which it is tried.
    most_columns, most_classes : above these it is not tried.
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
        """Whether it is worth its time on a table of this size."""
        return (
            self.least_rows <= n_rows <= self.most_rows
            and n_columns <= self.most_columns
            and n_classes <= self.most_classes
        )

    @property
    def candidate(self) -> "Candidate":
        """The entry as a configuration lists it."""
        from genreatlas.config import Candidate  # tasks of Spark import this module, and need no configuration

        grid = {name: list(values) for name, values in self.grid.items()}
        return Candidate(engine=self.engine, estimator=self.estimator, grid=grid)


def limits(estimator: Facts, n_rows: int, n_classes: int) -> tuple[Reason, str] | None:
    """Return why a data set is too large for the estimator, in a code and in words; None where it is not."""
    if n_rows > estimator.max_rows:
        return Reason.TOO_MANY_ROWS, f"{n_rows:,} rows; this estimator takes at most {estimator.max_rows:,}"
    if n_classes > estimator.max_classes:
        return Reason.TOO_MANY_CLASSES, f"{n_classes:,} classes; this estimator takes at most {estimator.max_classes:,}"
    return None
