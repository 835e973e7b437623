"""Names of feature sets that are joined column by column: ``groove+summary9``, with columns such as ``groove_tempo``.

A combination goes by one name wherever a feature set's name may stand: the names of its members in alphabetical order
with + between, so that the order in which somebody lists them makes no difference. Versions and preprocessing of the
members are written the same way, in the same order.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

#: Stands between the members' names. No name, version or preprocessing contains it.
PLUS = "+"


def joined_name(members: Iterable[str]) -> str:
    """One name of several feature sets."""
    return PLUS.join(sorted(members))


def members_of(name: str) -> tuple[str, ...]:
    """Feature sets that a name stands for: itself, or those that are joined; the same for versions."""
    return tuple(name.split(PLUS))


def column_of(member: str, column: str) -> str:
    """What a member's column is called beside those of the other members, which may have one of the same name."""
    return f"{member}_{column}"


def feature_sets_of(names: Iterable[str]) -> tuple[str, ...]:
    """Every single feature set behind some names, each once."""
    return tuple(dict.fromkeys(member for name in names for member in members_of(name)))


def not_joined(name: str, member: str, axis: str) -> str:
    """Why a set cannot be among those that are joined under a name."""
    return (
        f"train.feature_sets: {name}: {member} holds {axis}, and only sets of one row of numbers a clip (summary, "
        "vector) are joined. Take it out of the brackets, or join another set."
    )


def _named(value: Any) -> Any:
    """A list of sets, or a combination in any order, under its one name."""
    if isinstance(value, str):
        members: Sequence[Any] = members_of(value)
    elif isinstance(value, list | tuple):
        members = value
    else:
        return value
    if not members or not all(isinstance(member, str) and member.strip() for member in members):
        raise ValueError("sets that are to be joined are a list of names, such as ['groove', 'summary9']")
    if twice := sorted({member for member in members if members.count(member) > 1}):
        raise ValueError(f"{', '.join(twice)} is named twice in one combination")
    return joined_name(member.strip() for member in members)


#: A feature set, or in brackets several that are joined: ``"gtzan57"`` or ``["summary9", "groove"]``.
FeatureSetName = Annotated[str, BeforeValidator(_named)]
