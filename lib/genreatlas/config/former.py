"""Names that older releases gave to what a model's folder holds, and what they are called now.

A model's ``meta.json`` is never rewritten, so whoever renames or removes a key of ``[train]`` or ``[clip]``, or a name
among the values (an engine, an axis, a format), adds a line here; ``tests/resources`` holds stores that fail without
it. A line is never taken away.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from genreatlas.config.sections import ClipSection, Section, TrainSection

S = TypeVar("S", bound=Section)

#: Section = former key = what it is called now; None: it is gone, and changes nothing in a stored model.
KEYS: dict[str, dict[str, str | None]] = {"train": {}, "clip": {}}

#: Section = key that a later release added = what models were trained as that do not have it. It is needed where the
#: default is not what older releases did, so that their training sets stay what they were.
BEFORE: dict[str, dict[str, Any]] = {"train": {}, "clip": {}}

#: Kind of name = former name = present one. Kinds are ``engine``, ``axis``, ``format``, ``score_kind`` and the keys of
#: ``[train]`` and ``[clip]`` whose values are names.
NAMES: dict[str, dict[str, str]] = {}

#: Keys of ``[train]`` that say what else was tried and how it was ranked. What a model was trained on does not depend
#: on them, so they are not read from its folder, and need no lines above.
OF_THE_CONTEST = frozenset({"candidates", "metric"})


def present_name(kind: str, name: Any) -> Any:
    """What a stored name is called now."""
    return NAMES.get(kind, {}).get(name, name) if isinstance(name, str) else name


def train_section(stored: Mapping[str, Any]) -> TrainSection:
    """``[train]`` as a model was trained with it, without its candidates.

    Raises
    ------
    ValueError : it has a key or a value that no release up to this one wrote; the message names it.
    """
    return _section("train", TrainSection, {key: stored[key] for key in stored.keys() - OF_THE_CONTEST})


def clip_section(stored: Mapping[str, Any]) -> ClipSection:
    """``[clip]`` as a model's training clips were cut.

    Raises
    ------
    ValueError : it has a key or a value that no release up to this one wrote; the message names it.
    """
    return _section("clip", ClipSection, stored)


def _section(name: str, kind: type[S], stored: Mapping[str, Any]) -> S:
    values = dict(BEFORE[name])
    for key, value in stored.items():
        now = KEYS[name].get(key, key)
        if now is not None:
            values[now] = present_name(now, value)
    if unknown := sorted(values.keys() - kind.model_fields.keys()):
        raise ValueError(
            f"[{name}] has {', '.join(unknown)}, which this release does not know. A newer release trained the model: "
            "install that one, or train again"
        )
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"[{name}] {where} = {first['input']!r}: {first['msg']}. Another release trained the model: install that "
            "one, or train again"
        ) from None
