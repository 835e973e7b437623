"""A small dependency graph: a feature is a function whose parameter names are its inputs.

``compute(["spectral_centroid"], samples=..., sample_rate=...)`` calls ``spectral_centroid(magnitude, sample_rate,
silent)``, and before it ``magnitude(stft)`` and so on. Each function runs at most once, so sets computed together share
every intermediate. A second engine is another graph over the same names: :meth:`Graph.extended` copies a graph and
replaces some of its functions. A parameter called ``needed`` receives the names of all nodes being computed; with it a
transform decides whether phases are required.
"""

import inspect
from collections.abc import Callable, Container, Iterable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


class Graph:
    """Functions by name; the names of a function's parameters are the names of its inputs."""

    def __init__(self) -> None:
        self._functions: dict[str, Callable[..., object]] = {}
        self._inputs: dict[str, tuple[str, ...]] = {}

    def feature(self, function: Function) -> Function:
        """Add a function under its own name without the prefix ``fast_`` (a decorator).

        Raises
        ------
        ValueError : the name is taken. Only :meth:`extended` replaces functions.
        """
        name = _name(function)
        if name in self._functions:
            raise ValueError(f"two features are called {name}")
        self._functions[name] = function
        self._inputs[name] = tuple(inspect.signature(function).parameters)
        return function

    def extended(self, *replacements: Callable[..., object]) -> "Graph":
        """Return a copy in which functions of the same names are replaced and other functions added."""
        copy = Graph()
        copy._functions = dict(self._functions)
        copy._inputs = dict(self._inputs)
        for function in replacements:
            copy._functions.pop(_name(function), None)
            copy.feature(function)
        return copy

    def __contains__(self, name: str) -> bool:
        return name in self._functions

    def compute(self, wanted: Iterable[str], **given: object) -> dict[str, object]:
        """Compute the wanted nodes and their inputs, each once.

        Parameters
        ----------
        wanted : names of nodes, or of given values.
        given : values of the graph's inputs, such as ``samples`` and ``sample_rate``.

        Returns
        -------
        The wanted values by name.

        Raises
        ------
        KeyError : a name is neither a node nor given, or depends on itself; the message has the dependency path.
        """
        wanted = list(wanted)
        values: dict[str, object] = {"needed": self._closure(wanted, given), **given}
        return {name: self._value(name, values, ()) for name in wanted}

    def _closure(self, wanted: Iterable[str], given: Container[str]) -> frozenset[str]:
        """Names of all nodes required to compute the wanted ones."""
        found: set[str] = set()
        waiting = [*wanted]
        while waiting:
            name = waiting.pop()
            if name not in found and name not in given:
                found.add(name)
                waiting += self._inputs.get(name, ())
        return frozenset(found)

    def _value(self, name: str, values: dict[str, object], needed_by: tuple[str, ...]) -> object:
        if name not in values:
            if name not in self._functions or name in needed_by:
                path = " -> ".join((*needed_by, name))
                raise KeyError(
                    f"{path}: no such feature, nor is it given"
                    if name not in needed_by
                    else f"{path}: circular dependency"
                )
            arguments = {key: self._value(key, values, (*needed_by, name)) for key in self._inputs[name]}
            values[name] = self._functions[name](**arguments)
        return values[name]


def _name(function: Callable[..., object]) -> str:
    return function.__name__.removeprefix("fast_")


#: The reference implementation, plain librosa. Results of faster engines are compared with it.
REFERENCE_GRAPH = Graph()

#: Functions that replace reference functions of the same names in extraction, and the intermediates they share.
FAST: list[Callable[..., object]] = []


def fast(function: Function) -> Function:
    """Add a function to :data:`FAST` (a decorator). Its name is ``fast_`` and the name of the node it replaces."""
    FAST.append(function)
    return function
