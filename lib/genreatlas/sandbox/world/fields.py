"""The ``fields`` parameter of Spotify's playlist calls: ``id,tracks(items(track(name,artists.name)),next)``."""

import re
from collections.abc import Iterator
from typing import Any

Tree = dict[str, "Tree"]

_TOKEN = re.compile(r"[^,().!\s]+|[,().!]")


def select(body: Any, fields: str | None) -> Any:
    """Keep of a body what the parameter names; all of it where there is none."""
    if not fields:
        return body
    keep, drop = _parse(iter(_TOKEN.findall(fields)))
    return _apply(body, keep, drop)


def _parse(tokens: Iterator[str]) -> tuple[Tree, Tree]:
    """Fields to keep and, behind an exclamation mark, to leave out, up to the closing bracket."""
    keep: Tree = {}
    drop: Tree = {}
    place, target = keep, keep
    name = ""
    for token in tokens:
        match token:
            case ")":
                break
            case ",":
                # An exclamation mark holds for all names of its list.
                place = drop if target is drop else keep
            case "!":
                target = place = drop
            case ".":
                place = place[name]
            case "(":
                inner, left_out = _parse(tokens)
                place[name].update(inner)
                if left_out:
                    place[name]["!"] = left_out
            case _:
                name = token
                place.setdefault(name, {})
    return keep, drop


def _apply(body: Any, keep: Tree, drop: Tree) -> Any:
    if isinstance(body, list):
        return [_apply(item, keep, drop) for item in body]
    if not isinstance(body, dict):
        return body
    if not keep:
        return {key: value for key, value in body.items() if key not in drop}
    return {key: _below(value, keep[key]) for key, value in body.items() if key in keep}


def _below(value: Any, tree: Tree) -> Any:
    left_out = tree.get("!", {})
    inner = {key: below for key, below in tree.items() if key != "!"}
    return _apply(value, inner, left_out) if inner or left_out else value
