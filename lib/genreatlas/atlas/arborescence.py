"""Maximum spanning arborescence of a graph of possible parents."""

import numpy as np

from genreatlas.atlas.profiles import Floats, Ints


def arborescence(n: int, child: Ints, parent: Ints, weight: Floats, root: float) -> Ints:
    """Find the maximum spanning arborescence from a virtual root by the algorithm of Chu, Liu and Edmonds.

    Parameters
    ----------
    n : number of nodes.
    child, parent, weight : (n_edges,) the edges.
    root : weight of the edge from the virtual root to any node.

    Returns
    -------
    (n,) parent of each node, -1 for the virtual root.
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
    # Each cycle keeps all its edges except the edge into the node at which the cycle is entered.
    return chosen + [best[node] for node in sorted(in_circle) if node not in entered]


def _circles(n: int, root: int, parent: list[int]) -> tuple[list[int], list[list[int]]]:
    """Group of each node after cycles are contracted, and the cycles."""
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
