"""Random numbers that depend on names, never on the order in which things are drawn."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def rng(seed: int, *parts: str | int) -> np.random.Generator:
    """Return a generator for the thing named by `parts`.

    Parameters
    ----------
    seed : seed of the world.
    parts : what the numbers are for, such as ``"artist", "house", 3``.
    """
    name = "\x1f".join([str(seed), *map(str, parts)])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def pick(random: np.random.Generator, items: Sequence[T]) -> T:
    """Return one of `items`; unlike ``Generator.choice`` it leaves the type of an item alone."""
    return items[int(random.integers(len(items)))]
