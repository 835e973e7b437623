"""Say which known name was probably meant."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], every: bool = False) -> str:
    """Sentence for an error message: the nearest known name, or all of them when none is near (or ``every`` is set)."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]}?" + (f" Known: {', '.join(names)}." if every else "")
    return f"Known: {', '.join(names)}." if names else "There is none."
