"""The tree of the largest weight in a graph of possible parents."""

import numpy as np

from genreatlas.atlas.profiles import Floats, Ints


def arborescence(n: int, child: Ints, parent: Ints, weight: Floats, root: float) -> Ints:
    """Parent of each node in the tree of the largest weight in which every node has a path from a virtual root.

    Chu and Liu's, and Edmonds', algorithm: everybody takes the best parent, circles are contracted, and again.

    Parameters
    ----------
    child, parent, weight : the edges.
    root : weight of the edge from the virtual root to any node.

    Returns
    -------
    (n,) parent, -1 for the virtual root.
    """
    edges = [(int(p), int(c), float(w)) for c, p, w in zip(child, parent, weight, strict=True) if c != p]
    edges += [(n, node, root) for node in range(n)]
    chosen = _edmonds(n + 1, n, edges)
    found = np.full(n, -1, dtype=np.int64)
    for index in chosen:
        source, node, _ = edges[index]
        found[node] = source if source < n else -1
    return found


def _edmonds(n: int, root: int, edges: list[tuple[int, int, float]]) -> list[int]:
    """Indices of the chosen edges (source, target, weight)."""
    best: list[int] = [-1] * n
    for index, (_, target, weight) in enumerate(edges):
        if target != root and (best[target] < 0 or weight > edges[best[target]][2]):
            best[target] = index
    group, circles = _circles(n, root, [edges[index][0] if index >= 0 else -1 for index in best])
    if not circles:
        return [index for index in best if index >= 0]
    inner: list[tuple[int, int, float]] = []
    origin: list[int] = []
    in_circle = {node for circle in circles for node in circle}
    for index, (source, target, weight) in enumerate(edges):
        if group[source] != group[target]:
            less = edges[best[target]][2] if target in in_circle else 0.0
            inner.append((group[source], group[target], weight - less))
            origin.append(index)
    chosen = [origin[index] for index in _edmonds(max(group) + 1, group[root], inner)]
    entered = {edges[index][1] for index in chosen}
    # Each circle keeps all of its edges but that into the node through which it is entered.
    return chosen + [best[node] for node in sorted(in_circle) if node not in entered]


def _circles(n: int, root: int, parent: list[int]) -> tuple[list[int], list[list[int]]]:
    """Number of the group of each node after circles are contracted, and the circles."""
    state, circles, group = [0] * n, [], [-1] * n
    for start in range(n):
        path, node = [], start
        while node >= 0 and state[node] == 0:
            state[node] = 1
            path.append(node)
            node = parent[node] if node != root else -1
        if node >= 0 and state[node] == 1:
            circles.append(path[path.index(node) :])
        for one in path:
            state[one] = 2
    for number, circle in enumerate(circles):
        for node in circle:
            group[node] = number
    number = len(circles)
    for node in range(n):
        if group[node] < 0:
            group[node] = number
            number += 1
    return group, circles
