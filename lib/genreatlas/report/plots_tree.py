"""A shallow decision tree, grown to be looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from genreatlas.report.formats import amount, shortened
from genreatlas.report.svg import Figure, element, number, text

_DEPTH = 3
_SMALLEST_LEAF = 5


@dataclass(frozen=True)
class Node:
    """A question with two answers, or a leaf; counts are songs of the training sample."""

    n: int
    genre_id: str
    n_genre: int
    feature: str = ""
    threshold: float = 0.0
    yes: "Node | None" = None
    no: "Node | None" = None


def grow(sample: pd.DataFrame, features: Sequence[str], seed: int) -> Node | None:
    """Fit a tree of depth three on the training part of a sample.

    Parameters
    ----------
    sample : _genre_id, _part and the features; missing values go the way that fits better.
    features : numeric feature columns.

    Returns
    -------
    The root, or None where fewer than two genres or ten rows are left.
    """
    rows = sample[sample["_part"] == "train"]
    usable = [feature for feature in features if feature in rows and rows[feature].notna().any()]
    if rows["_genre_id"].nunique() < 2 or len(rows) < 2 * _SMALLEST_LEAF or not usable:
        return None
    matrix = rows[usable].to_numpy(dtype=np.float64)
    tree = DecisionTreeClassifier(max_depth=_DEPTH, min_samples_leaf=_SMALLEST_LEAF, random_state=seed)
    tree.fit(matrix, rows["_genre_id"].to_numpy(dtype=str))
    grown = tree.tree_

    def node(index: int) -> Node:
        n = int(grown.n_node_samples[index])
        shares = grown.value[index][0] / grown.value[index][0].sum()
        most = int(np.argmax(shares))
        leaf = Node(n, str(tree.classes_[most]), round(float(shares[most]) * n))
        if grown.children_left[index] < 0:
            return leaf
        return Node(
            leaf.n,
            leaf.genre_id,
            leaf.n_genre,
            usable[grown.feature[index]],
            float(grown.threshold[index]),
            node(grown.children_left[index]),
            node(grown.children_right[index]),
        )

    return node(0)


def draw(name: str, root: Node, units: Mapping[str, str], names: Mapping[str, str]) -> Figure:
    """The tree from left to right; the upper branch is always *yes*."""
    leaf_height, column, box = 56.0, 226.0, 192.0
    body: list[str] = []
    sentences: list[str] = []

    def place(node: Node, depth: int, top: float) -> tuple[float, float]:
        """Draw below ``top``; return where the node stands and where the next one may start."""
        x = depth * column
        if node.yes is None or node.no is None:
            y = top + leaf_height / 2
            share = node.n_genre / node.n
            label = shortened(names.get(node.genre_id, node.genre_id), 20)
            body.append(text(x + 6, y - 3, label, class_="strong"))
            body.append(text(x + 6, y + 13, f"{node.n_genre} of {node.n} songs", class_="soft small"))
            body.append(element("rect", x=x + 6, y=y + 19, width=100, height=4, rx=2, class_="frame"))
            body.append(element("rect", x=x + 6, y=y + 19, width=100 * share, height=4, rx=2, class_="bar"))
            return y, top + leaf_height
        first, middle = place(node.yes, depth + 1, top)
        second, bottom = place(node.no, depth + 1, middle)
        y = (first + second) / 2
        question = f"{node.feature} ≤ {amount(node.threshold, units.get(node.feature, ''))}"
        sentences.append(question)
        body.append(text(x + 6, y - 4, shortened(node.feature, 28), class_="small strong"))
        body.append(
            text(
                x + 6,
                y + 12,
                f"≤ {amount(node.threshold, units.get(node.feature, ''))}?   {node.n} songs",
                class_="soft small",
            )
        )
        for target, answer in ((first, "yes"), (second, "no")):
            start, end = x + box, x + column - 2
            bend = (start + end) / 2
            places = (start, y, bend, y, bend, target, end, target)
            curve = "M{} {}C{} {} {} {} {} {}".format(*map(number, places))
            body.append(element("path", d=curve, class_="edge"))
            side = target - 5 if answer == "yes" else target + 13
            body.append(text(end - 2, side, answer, text_anchor="end", class_="soft tiny"))
        return y, bottom

    _, height = place(root, 0, 0.0)
    alt = f"Decision tree of at most {_DEPTH} questions. It asks: {'; '.join(reversed(sentences)) or 'nothing'}."
    return Figure(name, alt, "".join(body), column * _depth(root) + 140, height)


def _depth(node: Node) -> int:
    return 0 if node.yes is None or node.no is None else 1 + max(_depth(node.yes), _depth(node.no))
