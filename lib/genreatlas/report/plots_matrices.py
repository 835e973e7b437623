"""Confusion matrices, correlation matrices, and a shallow decision tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from genreatlas.report.number_formats import amount, percent, shortened, signed
from genreatlas.report.svg import Figure, element, number, text

_OTHERS = "other genres"
_LEVELS = 20  # levels of opacity: cells of one level share one path, so that a 57 × 57 matrix stays small

_DEPTH = 3
_SMALLEST_LEAF = 5


def confusion_shares(confusion: pd.DataFrame, shown: Sequence[str]) -> pd.DataFrame:
    """Row-normalised confusion matrix of the shown genres; all other genres are summed in a last column.

    Parameters
    ----------
    confusion : genre_id (true), other (predicted), value (count).
    shown : genre ids, in order.

    Returns
    -------
    One row per shown genre that has songs, one column per shown genre and, if needed, one for the other genres.
    """
    if confusion.empty:
        return pd.DataFrame(index=pd.Index([], dtype=object), columns=list(shown), dtype=float)
    counts = confusion.assign(value=confusion["value"].astype(float)).pivot_table(
        index="genre_id", columns="other", values="value", aggfunc="sum", fill_value=0.0
    )
    total = counts.sum(axis=1)
    shares = counts.div(total.where(total > 0), axis=0)
    rows = [genre for genre in shown if genre in shares.index and total[genre] > 0]
    result = shares.reindex(index=rows, columns=list(shown), fill_value=0.0)
    rest = shares.loc[rows].drop(columns=[c for c in shown if c in shares.columns]).sum(axis=1)
    if (rest > 0).any():
        result[_OTHERS] = rest
    return result


def heatmap(name: str, shares: pd.DataFrame, names: Sequence[str], alt: str) -> Figure:
    """Confusion matrix as cells of one hue, whose opacity is the share of the row.

    Parameters
    ----------
    name : stem of the picture's file name.
    shares : from :func:`confusion_shares`.
    names : display names of the columns' genres, in order, without the column of other genres.
    alt : alternative text.
    """
    labels = [*names, *([_OTHERS] if _OTHERS in shares.columns else [])]
    rows = [labels[list(shares.columns).index(genre)] for genre in shares.index]
    cell = 34 if len(labels) <= 9 else 28 if len(labels) <= 21 else 22
    left = min(118.0, 10 + 6.4 * max((len(shortened(label, 17)) for label in labels), default=0))
    top = left
    body = []
    for column, label in enumerate(labels):
        x = left + cell * (column + 0.5) + 4
        turned = f"rotate(-90 {number(x)} {number(top - 6)})"
        body.append(text(x, top - 6, shortened(label, 17), transform=turned, class_="small"))
    for index, label in enumerate(rows):
        y = top + cell * index
        body.append(text(left - 6, y + cell / 2 + 4, shortened(label, 17), text_anchor="end", class_="small"))
        for column, share in enumerate(shares.iloc[index]):
            right = shares.index[index] == shares.columns[column]
            body.append(_cell(left + cell * column, y, cell, float(share), right))
    width, height = left + cell * len(labels) + 2, top + cell * len(rows) + 2
    return Figure(name, alt, "".join(body), width, height)


def _cell(x: float, y: float, cell: float, share: float, diagonal: bool) -> str:
    place = {"x": x + 1, "y": y + 1, "width": cell - 2, "height": cell - 2, "rx": 2}
    parts = element("rect", class_="frame", **place)
    if share > 0:
        parts += element("rect", class_="plus", fill_opacity=round(0.06 + 0.94 * share, 2), **place)
    if share >= 0.005 and cell >= 28:
        tone = "on" if share > 0.5 else ""
        parts += text(
            x + cell / 2,
            y + cell / 2 + 4,
            f"{100 * share:.0f}",
            text_anchor="middle",
            class_=f"small {tone} {'strong' if diagonal else ''}".strip(),
        )
    return parts


def correlation_triangle(name: str, correlation: pd.DataFrame, labels: Sequence[str], alt: str) -> Figure:
    """Correlations below the diagonal: one hue for positive and one for negative values; opacity is the strength.

    Names are on the diagonal: a cell belongs to the name at the end of its row and to the name above its column.

    Parameters
    ----------
    name : stem of the picture's file name.
    correlation : (n, n), −1 to 1; cells with NaN (a constant column) are blank.
    labels : (n,) names in the same order.
    alt : alternative text.
    """
    n = len(labels)
    cell = 30 if n <= 10 else 20 if n <= 24 else 11
    tone = "small" if n <= 24 else "tiny"
    right = min(180.0, 10 + (6.3 if n <= 24 else 5.6) * len(shortened(labels[-1], 28))) if n else 0.0
    values = correlation.to_numpy(dtype=float)
    paths: dict[tuple[str, int], list[str]] = {}
    body = []
    for i in range(n):
        body.append(text(cell * i + 4, cell * i + cell / 2 + 3.5, shortened(labels[i], 28), class_=tone))
        for j in range(i):
            value = values[i, j]
            if not np.isfinite(value) or abs(value) < 0.5 / _LEVELS:
                continue
            key = ("plus" if value > 0 else "minus", round(abs(value) * _LEVELS))
            x, y, side = cell * j + 0.5, cell * i + 0.5, cell - 1
            paths.setdefault(key, []).append(f"M{number(x)} {number(y)}h{side}v{side}h-{side}z")
    body += [
        element("path", d="".join(parts), class_=sign, fill_opacity=level / _LEVELS)
        for (sign, level), parts in sorted(paths.items())
    ]
    if n <= 10:
        for i in range(n):
            for j in range(i):
                value = values[i, j]
                if np.isfinite(value):
                    on = "on" if abs(value) > 0.5 else ""
                    body.append(
                        text(
                            cell * (j + 0.5),
                            cell * (i + 0.5) + 4,
                            signed(value, 1),
                            text_anchor="middle",
                            class_=f"tiny {on}".strip(),
                        )
                    )
    return Figure(name, alt, "".join(body), cell * (n - 1) + right, cell * n + 2)


def strongest_pairs(correlation: pd.DataFrame, wanted: int = 6) -> pd.DataFrame:
    """Pairs with the largest absolute correlation: first, second, value; ties are ordered by name."""
    values = correlation.to_numpy(dtype=float)
    rows, columns = np.tril_indices(len(values), k=-1)
    pairs = pd.DataFrame(
        {
            "first": correlation.index.to_numpy()[columns],
            "second": correlation.index.to_numpy()[rows],
            "value": values[rows, columns],
        }
    ).dropna()
    pairs["size"] = pairs["value"].abs()
    order = pairs.sort_values(["size", "first", "second"], ascending=[False, True, True])
    return order.head(wanted).drop(columns="size").reset_index(drop=True)


def heatmap_alt(model: str, shares: pd.DataFrame, names: dict[str, str]) -> str:
    """Alternative text of a heatmap: the range of the diagonal and the most frequent error of the shown genres."""
    if shares.empty:
        return f"Confusion of {model}: no songs."
    right = [shares.loc[genre, genre] for genre in shares.index]
    off = shares.copy()
    for genre in shares.index:
        off.loc[genre, genre] = -1.0
    row, column = divmod(int(np.argmax(off.to_numpy())), off.shape[1])
    true, said = str(off.index[row]), str(off.columns[column])
    return (
        f"Confusion of {model}, {len(shares)} genres. Share right from {percent(min(right))} to {percent(max(right))}. "
        f"Largest mistake: {names.get(true, true)} taken for {names.get(said, said)}, "
        f"{percent(off.iloc[row, column])} of its songs."
    )


@dataclass(frozen=True)
class Node:
    """A node of a decision tree: a split at a threshold, or a leaf; counts are songs of the training sample."""

    n: int
    genre_id: str
    n_genre: int
    feature: str = ""
    threshold: float = 0.0
    yes: "Node | None" = None
    no: "Node | None" = None


def grow_tree(sample: pd.DataFrame, features: Sequence[str], seed: int) -> Node | None:
    """Fit a tree of depth three on the training part of a sample.

    Parameters
    ----------
    sample : _genre_id, _part and the features; missing values go to the branch that fits better.
    features : numeric feature columns.
    seed : random state of the tree.

    Returns
    -------
    The root, or None if fewer than two genres, ten rows or one usable feature are left.
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


def draw_tree(name: str, root: Node, units: Mapping[str, str], names: Mapping[str, str]) -> Figure:
    """Draw the tree from left to right; the upper branch is always *yes*."""
    leaf_height, column, box = 56.0, 226.0, 192.0
    body: list[str] = []
    sentences: list[str] = []

    def place(node: Node, depth: int, top: float) -> tuple[float, float]:
        """Draw a node below ``top``; return its vertical centre and the top of the next node."""
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
