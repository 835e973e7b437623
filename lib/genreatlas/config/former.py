"""Former names of configuration keys and values in stored models, with their present names.

A model's ``meta.json`` is never rewritten. Whoever renames or removes a key of ``[train]`` or ``[clip]``, or a name
among the values (an engine, an axis, a format), must add an entry here; the stores in ``tests/resources`` cannot be
read otherwise. Entries are never removed.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from genreatlas.config.sections import ClipSection, Section, TrainSection

S = TypeVar("S", bound=Section)

#: Present key by section and former key; None: the key was removed and has no effect on a stored model.
KEYS: dict[str, dict[str, str | None]] = {"train": {}, "clip": {}}

#: Value by section and key for models that were stored before the key was added. Needed if the default differs from
#: the behaviour of older releases, so that their training sets can be rebuilt.
BEFORE: dict[str, dict[str, Any]] = {"train": {}, "clip": {}}

#: Present name by kind and former name. Kinds are ``engine``, ``axis``, ``format``, ``score_kind`` and the keys of
#: ``[train]`` and ``[clip]`` whose values are names.
NAMES: dict[str, dict[str, str]] = {}

#: Keys of ``[train]`` about the other candidates and their ranking. A model's training data do not depend on them, so
#: they are not read from its folder and need no entries above.
OF_THE_CONTEST = frozenset({"candidates", "metric"})


def present_name(kind: str, name: Any) -> Any:
    """Present name for a stored name; other values are returned unchanged."""
    return NAMES.get(kind, {}).get(name, name) if isinstance(name, str) else name


def train_section(stored: Mapping[str, Any]) -> TrainSection:
    """The ``[train]`` section that a model was trained with, without candidates and metric.

    Raises
    ------
    ValueError : the stored section has a key or value that no release up to this one wrote; the message names it.
    """
    return _section("train", TrainSection, {key: stored[key] for key in stored.keys() - OF_THE_CONTEST})


def clip_section(stored: Mapping[str, Any]) -> ClipSection:
    """The ``[clip]`` section that a model's training clips were cut with.

    Raises
    ------
    ValueError : the stored section has a key or value that no release up to this one wrote; the message names it.
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
