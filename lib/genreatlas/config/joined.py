"""Names of joined feature sets, such as ``groove+summary9`` with columns such as ``groove_tempo``.

A combination is named like a feature set: the names of its members in alphabetical order, separated by +, so that
the configured order makes no difference. Versions and preprocessing of the members are written in the same way and
order.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

#: Separator of the members' names. No name, version or preprocessing contains it.
PLUS = "+"


def joined_name(members: Iterable[str]) -> str:
    """Name of a combination of feature sets."""
    return PLUS.join(sorted(members))


def members_of(name: str) -> tuple[str, ...]:
    """Names of the feature sets in a combination, or of the single set; also splits versions."""
    return tuple(name.split(PLUS))


def column_of(member: str, column: str) -> str:
    """Name of a member's column in the combination: prefixed, because members may have equal column names."""
    return f"{member}_{column}"


def feature_sets_of(names: Iterable[str]) -> tuple[str, ...]:
    """All single feature sets in some names of sets and combinations, without duplicates."""
    return tuple(dict.fromkeys(member for name in names for member in members_of(name)))


def not_joined(name: str, member: str, axis: str) -> str:
    """Error message: a set that cannot be a member of a combination."""
    return (
        f"train.feature_sets: {name}: {member} holds {axis}, but only sets with one row of numbers per clip "
        "(summary, vector) can be joined. Remove it from the brackets, or join another set."
    )


def _named(value: Any) -> Any:
    """Normalise a list of sets, or a combination in any order, to the combination's name."""
    if isinstance(value, str):
        members: Sequence[Any] = members_of(value)
    elif isinstance(value, list | tuple):
        members = value
    else:
        return value
    if not members or not all(isinstance(member, str) and member.strip() for member in members):
        raise ValueError("sets to join must be a list of names, such as ['groove', 'summary9']")
    if twice := sorted({member for member in members if members.count(member) > 1}):
        raise ValueError(f"{', '.join(twice)} is listed twice in one combination")
    return joined_name(member.strip() for member in members)


#: A feature set, or a list of sets to join: ``"gtzan57"`` or ``["summary9", "groove"]``.
FeatureSetName = Annotated[str, BeforeValidator(_named)]
