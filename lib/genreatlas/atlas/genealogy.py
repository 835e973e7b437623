"""Possible parents of genres with probability and evidence, and a tree of the most probable ones.

Two models are fitted on known edges. The first classifies genres by parent from the sound and size of the parents'
children; it covers only genres that are known as parents. The second scores a pair of genres by its own evidence:
distance, ranks of the distance from both genres, sizes, shared artists. A third model combines both into a probability.
Names are not used as features, because known edges may be derived from names.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from genreatlas.atlas.arborescence import arborescence
from genreatlas.atlas.profiles import Floats, Ints

_TREES = 300
_LEAF = 2
_FOLDS = 5
#: Weight of the logit of the pair model, relative to the log probability of the parent classifier. With 0.2 the top-1
#: accuracy was lower and the top-3 accuracy higher; a weight fitted by likelihood was larger still, and its top-1
#: accuracy was below that of a weight of 0.
_PAIR_WEIGHT = 0.1
#: Minimum number of known edges for fitting.
MIN_EDGES = 30
#: Probability that a genre is a child of a genre whose name its own name ends or begins with. Of 200 such edges of
#: Every Noise that were checked by reading, 6 are wrong ("liquid funk" is not funk, "sound art" not sound) and 4 are
#: doubtful (benchmarks/name_edges.csv).
NAME_PROBABILITY = 0.95
#: Differences of age are clipped at this number of years.
_MOST_YEARS = 30.0
#: Number of children per block when scoring pairs.
_BLOCK = 256


def name_heads(names: Sequence[str]) -> list[tuple[int, int]]:
    """Edges (child, parent) derived from names: the longest suffix and the longest prefix that is the name of a genre.

    ``deep house`` ends with ``house`` and ``rap chileno`` begins with ``rap``; ``gospel drill``, a fusion, has two
    parents.
    """
    place = {name.casefold(): genre for genre, name in reversed(list(enumerate(names)))}
    edges = []
    for child, name in enumerate(names):
        words = name.casefold().split()
        ends = [" ".join(words[cut:]) for cut in range(1, len(words))]
        beginnings = [" ".join(words[:cut]) for cut in range(len(words) - 1, 0, -1)]
        heads = [next((place[one] for one in ways if one in place), None) for ways in (ends, beginnings)]
        edges += [(child, head) for head in dict.fromkeys(heads) if head is not None and head != child]
    return edges


@dataclass(frozen=True)
class Evidence:
    """Data of genres for the search of parents; arrays in the order of the genres.

    Attributes
    ----------
    space : (n, n_features) standardised profiles.
    size : (n,) logarithm of the genre's size; NaN where unknown.
    artists : (n, n_artists) 1 if the artist has a song of the genre; None if no artist is known.
    born : (n,) estimated year of the genre's start, NaN where unknown; None if all are unknown.
    """

    space: Floats
    size: Floats
    artists: sparse.csr_matrix | None = None
    born: Floats | None = None


class Pairs:
    """Features of pairs of genres, computed from :class:`Evidence`."""

    #: Columns of :meth:`evidence` before the absolute differences of the dimensions.
    NAMES = (
        "distance", "rank", "rank_from_parent", "size_difference", "parent_size", "parent_radius", "child_radius",
        "parent_crowding", "child_crowding", "distance_in_crowd", "distance_in_parents_crowd", "artist_containment",
    )  # fmt: skip

    def __init__(self, known: Evidence) -> None:
        space = known.space
        self.space = space
        squares = (space**2).sum(axis=1)
        product = squares[:, None] + squares - 2.0 * space @ space.T
        np.fill_diagonal(product, 0.0)
        self.distance = np.sqrt(np.maximum(product, 0.0) / space.shape[1]).astype(np.float32)
        order = np.argsort(self.distance, axis=1, kind="stable")
        self.rank = np.empty(order.shape, dtype=np.float32)
        np.put_along_axis(self.rank, order, np.log1p(np.arange(len(space), dtype=np.float32))[None], 1)
        self.size = np.where(np.isfinite(known.size), known.size, _middle(known.size))
        self.radius = np.sqrt((space**2).mean(axis=1))
        k = min(15, len(space) - 1)
        self.crowding = np.maximum(np.partition(self.distance, k, axis=1)[:, k].astype(np.float64), 1e-6)
        self.artists = known.artists
        spread = float(self.size.std())
        #: Input of the parent classifier: profile, and size scaled to unit variance.
        self.alike = np.column_stack([space, (self.size - self.size.mean()) / spread]) if spread > 0 else space
        self.own = None if known.artists is None else np.asarray(known.artists.sum(axis=1)).ravel()
        self.born = known.born

    def artist_containment(self, child: Ints, parent: Ints) -> Floats:
        """Share of the child's artists that the parent also has, (n_pairs,); NaN if the child has no known artist."""
        if self.artists is None or self.own is None:
            return np.full(len(child), np.nan)
        both = np.asarray(self.artists[child].multiply(self.artists[parent]).sum(axis=1)).ravel()
        return np.divide(both, self.own[child], out=np.full(len(child), np.nan), where=self.own[child] > 0)

    def years_older(self, child: Ints, parent: Ints) -> Floats:
        """Age difference in years, (n_pairs,), positive if the parent is older; NaN if an age is unknown."""
        if self.born is None:
            return np.full(len(child), np.nan)
        return np.asarray(self.born[child] - self.born[parent], dtype=np.float64)

    def evidence(self, child: Ints, parent: Ints) -> Floats:
        """Features of pairs, (n_pairs, 12 + n_features), with two more columns if ages are known.

        Age is one feature among others and no constraint, because years may be those of reissues.
        """
        distance = self.distance[child, parent].astype(np.float64)
        columns = [
            distance,
            self.rank[child, parent],
            self.rank[parent, child],
            self.size[parent] - self.size[child],
            self.size[parent],
            self.radius[parent],
            self.radius[child],
            self.crowding[parent],
            self.crowding[child],
            distance / self.crowding[child],
            distance / self.crowding[parent],
            np.nan_to_num(self.artist_containment(child, parent)),
        ]
        if self.born is not None and np.isfinite(self.born).sum() > 1:
            older = self.years_older(child, parent)
            columns += [np.clip(np.nan_to_num(older), -_MOST_YEARS, _MOST_YEARS), np.isfinite(older).astype(np.float64)]
        return np.column_stack([*columns, np.abs(self.space[child] - self.space[parent])])


def _middle(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0


class _Logistic:
    """Logistic regression on standardised columns, without extrapolation.

    Values are clipped to the range of the training data, and columns that are constant there are ignored.
    """

    def __init__(self, X: Floats, y: npt.NDArray[np.int64]) -> None:
        from sklearn.linear_model import LogisticRegression

        self.low, self.high = X.min(axis=0), X.max(axis=0)
        self.middle, spread = X.mean(axis=0), X.std(axis=0)
        self.scale = np.where(spread > 1e-9 * np.maximum(np.abs(self.middle), 1.0), spread, np.inf)
        self.model = LogisticRegression(C=1.0, max_iter=500).fit(self._standardised(X), y)

    def logit(self, X: Floats) -> Floats:
        return np.asarray(self.model.decision_function(self._standardised(X)), dtype=np.float64)

    def _standardised(self, X: Floats) -> Floats:
        return np.asarray((np.clip(X, self.low, self.high) - self.middle) / self.scale, dtype=np.float64)


class PairModel:
    """Classifies whether one genre is a parent of another by the features of the pair, fitted on known edges.

    Parameters
    ----------
    pairs : features of pairs of genres.
    edges : (n_edges, 2) child, parent, with at least two distinct parents.
    seed : seed of the sampled negative pairs.
    """

    def __init__(self, pairs: Pairs, edges: npt.NDArray[np.int64], seed: int) -> None:
        self.pairs = pairs
        child, parent = other_parents(edges, seed)
        columns = np.vstack([pairs.evidence(edges[:, 0], edges[:, 1]), pairs.evidence(child, parent)])
        self._model = _Logistic(columns, np.repeat([1, 0], [len(edges), len(child)]))

    def logits(self, children: Ints, candidates: Ints) -> Floats:
        """Logits of all pairs of children and candidates, (n_children, n_candidates)."""
        found = np.zeros((len(children), len(candidates)))
        for start in range(0, len(children), _BLOCK):
            block = children[start : start + _BLOCK]
            child, parent = np.repeat(block, len(candidates)), np.tile(candidates, len(block))
            scores = self._model.logit(self.pairs.evidence(child, parent))
            found[start : start + _BLOCK] = scores.reshape(len(block), -1)
        return found


class ParentModel:
    """Ranks possible parents of genres, fitted on known edges.

    Parameters
    ----------
    pairs : features of pairs of genres.
    edges : (n_edges, 2) child, parent.
    seed : seed of all random choices.

    Attributes
    ----------
    parents : genres that are known as parents, sorted.
    hits : top-1 and top-3 accuracy on known edges, by models fitted without the child. Other known parents of the child
        are removed from the ranking.

    Raises
    ------
    ValueError : fewer than :data:`MIN_EDGES` edges, or only one parent.
    """

    def __init__(self, pairs: Pairs, edges: npt.NDArray[np.int64], seed: int) -> None:
        self.parents = np.unique(edges[:, 1])
        if len(edges) < MIN_EDGES or len(self.parents) < 2:
            raise ValueError(f"{len(edges)} known edges from {len(self.parents)} parents; {MIN_EDGES} are needed")
        self.pairs = pairs
        self._by_pair = PairModel(pairs, edges, seed)
        self._by_children = tell_parents(pairs.alike[edges[:, 0]], edges[:, 1], pairs.alike, seed)
        # Out-of-fold predictions for children with known parents.
        self._children = children = np.unique(edges[:, 0])
        self._siblings = np.zeros((len(children), len(self.parents)))
        self._evidence = np.zeros(self._siblings.shape)
        fold = np.random.default_rng(seed).permutation(len(children)) % _FOLDS
        for number in range(_FOLDS):
            mine = fold == number
            others = edges[np.isin(edges[:, 0], children[~mine])]
            told = tell_parents(pairs.alike[others[:, 0]], others[:, 1], pairs.alike[children[mine]], seed)
            self._siblings[np.ix_(mine, np.searchsorted(self.parents, np.unique(others[:, 1])))] = told
            by_pair = PairModel(pairs, others, seed) if len(np.unique(others[:, 1])) > 1 else self._by_pair
            self._evidence[mine] = by_pair.logits(children[mine], self.parents)
        true = np.zeros(self._evidence.shape, dtype=np.int64)
        true[np.searchsorted(children, edges[:, 0]), np.searchsorted(self.parents, edges[:, 1])] = 1
        other = children[:, None] != self.parents
        both = _log(self._siblings) + _PAIR_WEIGHT * self._evidence
        self._with_children = _Logistic(both[other][:, None], true[other])
        self._alone = _Logistic(self._evidence[other][:, None], true[other])
        self.hits = _hits(np.where(other, both, -np.inf), true)

    def probabilities(self, children: Ints, candidates: Ints) -> Floats:
        """Probability that a candidate is a parent of a child, (n_children, n_candidates); 0 for the child itself.

        Probabilities of children with known parents are out-of-fold predictions.
        """
        evidence = self._by_pair.logits(children, candidates)
        at = np.searchsorted(self.parents, candidates).clip(max=len(self.parents) - 1)
        seen = self.parents[at] == candidates
        row = np.searchsorted(self._children, children).clip(max=len(self._children) - 1)
        known = self._children[row] == children
        evidence[np.ix_(known, seen)] = self._evidence[np.ix_(row[known], at[seen])]
        found = self._alone.logit(evidence.reshape(-1, 1)).reshape(evidence.shape)
        if seen.any():
            said = self._by_children[np.ix_(children, at[seen])]
            said[known] = self._siblings[np.ix_(row[known], at[seen])]
            both = _log(said) + _PAIR_WEIGHT * evidence[:, seen]
            found[:, seen] = self._with_children.logit(both.reshape(-1, 1)).reshape(both.shape)
        return np.where(children[:, None] == candidates, 0.0, 1.0 / (1.0 + np.exp(-found)))


def tell_parents(space: Floats, parent: Ints, asked: Floats, seed: int) -> Floats:
    """Predict parents of genres by extremely randomised trees (Geurts et al. 2006), fitted on children of parents.

    Every node of a fitted tree stores a share of each class, so hundreds of trees over thousands of parents would take
    tens of gigabytes. Therefore each tree predicts as soon as it is fitted and is then discarded; its predictions are
    stored sparsely.

    Parameters
    ----------
    space : (n_edges, n_features) features of the children.
    parent : (n_edges,) parents of the children.
    asked : (n_asked, n_features) features of the genres to predict.
    seed : seed of the trees; they equal those of scikit-learn's ``ExtraTreesClassifier`` with this seed.

    Returns
    -------
    (n_asked, n_parents) mean probability over trees for each of the sorted distinct parents.
    """
    from joblib import Parallel, delayed

    classes, of = np.unique(parent, return_inverse=True)
    random = np.random.RandomState(seed)  # as scikit-learn draws the seeds of a forest's trees
    seeds = [random.randint(np.iinfo(np.int32).max) for _ in range(_TREES)]
    known, wanted = space.astype(np.float32), asked.astype(np.float32)
    # Threads; results are added in the order of the trees, because another order would change the last bits.
    workers = Parallel(n_jobs=-1, require="sharedmem", return_as="generator")
    total = np.zeros((len(asked), len(classes)))
    for votes in workers(delayed(_votes)(known, of, wanted, len(classes), one) for one in seeds):
        total[np.repeat(np.arange(len(asked)), np.diff(votes.indptr)), votes.indices] += votes.data
    return total / _TREES


def _votes(known: object, of: Ints, wanted: object, n_classes: int, seed: int) -> sparse.csr_matrix:
    """Predictions of one tree: for each genre to predict, the shares of the classes in its leaf."""
    from sklearn.tree import ExtraTreeClassifier

    tree = ExtraTreeClassifier(min_samples_leaf=_LEAF, max_features="sqrt", random_state=seed)
    with warnings.catch_warnings():  # many parents with few children each are expected
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        leaf = tree.fit(known, of).apply(known)
    shape = (tree.tree_.node_count, n_classes)
    counted = sparse.csr_matrix((np.ones(len(of)), (leaf, of)), shape=shape)
    size = np.maximum(np.asarray(counted.sum(axis=1)).ravel(), 1.0)
    return sparse.csr_matrix(sparse.diags(1.0 / size) @ counted)[tree.apply(wanted)]


def _hits(scores: Floats, true: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Top-1 and top-3 accuracy over edges; other known parents of the child are removed from the ranking."""
    place = []
    for row, column in zip(*np.nonzero(true), strict=True):
        rivals = scores[row][true[row] == 0]
        place.append(int((rivals >= scores[row, column]).sum()))
    return tuple(float(np.mean(np.array(place) < most)) for most in (1, 3))  # type: ignore[return-value]


def _log(share: Floats) -> Floats:
    return np.asarray(np.log(share + 1e-3), dtype=np.float64)


def other_parents(edges: npt.NDArray[np.int64], seed: int, each: int = 8, matched: bool = False) -> tuple[Ints, Ints]:
    """Sample negative pairs: children with parents of other children.

    Parameters
    ----------
    edges : (n_edges, 2) child, parent.
    seed : seed of the sample.
    each : number of pairs drawn per edge; pairs that are edges are removed.
    matched : draw parents in proportion to their number of children, not with equal probability.

    Returns
    -------
    child, parent : (n_pairs,) each.
    """
    random = np.random.default_rng(seed)
    child = np.repeat(edges[:, 0], each)
    parent = random.choice(edges[:, 1] if matched else np.unique(edges[:, 1]), len(child))
    n = int(edges.max()) + 1
    keep = ~np.isin(child * n + parent, edges[:, 0] * n + edges[:, 1]) & (child != parent)
    return child[keep], parent[keep]


@dataclass(frozen=True)
class Tree:
    """Possible parents of all genres; arrays over pairs, sorted by child and rank.

    Attributes
    ----------
    child, parent, rank : rank 1 is the most probable parent.
    probability : probability by sound, size, artists and name.
    by_sound : probability without the name; out-of-fold predictions for genres with known parents.
    name_head, known, influence, drawn : whether the edge is derived from the name, is a given edge, is an influence,
        and is in the tree.
    distance, size_difference, artist_containment, years_older : features of the pair.
    hits : top-1 and top-3 accuracy on known parents of held-out genres.
    """

    child: Ints
    parent: Ints
    rank: Ints
    probability: Floats
    by_sound: Floats
    name_head: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    influence: npt.NDArray[np.bool_]
    drawn: npt.NDArray[np.bool_]
    distance: Floats
    size_difference: Floats
    artist_containment: Floats
    years_older: Floats
    hits: tuple[float, float]


def find_parents(
    known: Evidence,
    names: Sequence[str],
    given: Sequence[tuple[int, int]],
    least: float,
    seed: int,
    influences: Sequence[tuple[int, int]] = (),
    most: int = 5,
) -> Tree:
    """Find possible parents of each genre, and the tree of the most probable ones.

    The models are fitted on given edges, influences and edges derived from names. Several given parents of a genre are
    ranked by sound. The tree is the maximum spanning arborescence under a virtual root, whose edges have the
    probability ``least``; so a genre without a more probable candidate has no parent in the tree.

    Parameters
    ----------
    known, names : data and names of the genres.
    given : known edges (child, parent).
    least : minimum probability of edges in the tree.
    seed : seed of all random choices.
    influences : further known edges; a genre may have several.
    most : maximum number of candidates per genre.

    Raises
    ------
    ValueError : fewer than :data:`MIN_EDGES` edges are known.
    """
    heads = name_heads(names)
    edges = np.array(sorted({*heads, *given, *influences}), dtype=np.int64).reshape(-1, 2)
    pairs = Pairs(known)
    model = ParentModel(pairs, edges, seed)
    children = np.arange(len(names))
    by_sound = model.probabilities(children, model.parents)
    by_name, was_given, came_from = (np.zeros(by_sound.shape, dtype=bool) for _ in range(3))
    for flags, said in ((by_name, heads), (was_given, list(given)), (came_from, list(influences))):
        if said:
            pair = np.array(said, dtype=np.int64)
            flags[pair[:, 0], np.searchsorted(model.parents, pair[:, 1])] = True
    probability = 1.0 - (1.0 - by_sound) * np.where(by_name, 1.0 - NAME_PROBABILITY, 1.0)
    probability = np.where(was_given | came_from, 1.0 - 1e-6 * (1.0 - probability), probability)
    most = min(most, len(model.parents))
    order = np.argsort(-probability, axis=1, kind="stable")[:, :most]
    child, column = np.repeat(children, most), order.ravel()
    keep = model.parents[column] != child
    child, column = child[keep], column[keep]
    rank = np.concatenate([np.arange(1, count + 1) for count in np.bincount(child, minlength=len(names))])
    parent = model.parents[column]
    chosen = probability[child, column]
    drawn = arborescence(len(names), child, parent, _odds(chosen), float(_odds(np.array([least]))[0]))
    return Tree(
        child=child,
        parent=parent,
        rank=rank,
        probability=chosen,
        by_sound=by_sound[child, column],
        name_head=by_name[child, column],
        known=was_given[child, column],
        influence=came_from[child, column],
        drawn=drawn[child] == parent,
        distance=pairs.distance[child, parent].astype(np.float64),
        size_difference=known.size[parent] - known.size[child],
        artist_containment=pairs.artist_containment(child, parent),
        years_older=pairs.years_older(child, parent),
        hits=model.hits,
    )


def known_parents(
    known: Evidence,
    names: Sequence[str],
    given: Sequence[tuple[int, int]],
    least: float,
    influences: Sequence[tuple[int, int]] = (),
) -> Tree | None:
    """Tree of known parents, used if there are too few known edges for :func:`find_parents`.

    Given edges and influences have a probability of about 1, edges derived from names :data:`NAME_PROBABILITY`; the
    nearest of several parents comes first. ``by_sound`` and ``hits`` are NaN.

    Parameters
    ----------
    known, names, given, influences, least : as in :func:`find_parents`.

    Returns
    -------
    None if no edge is known.
    """
    heads = set(name_heads(names))
    edges = sorted({*heads, *given, *influences})
    if not edges:
        return None
    pairs = Pairs(known)
    child, parent = np.array(edges, dtype=np.int64).T
    far = pairs.distance[child, parent].astype(np.float64)
    was_given, came_from, by_name = (
        np.array([edge in said for edge in edges]) for said in (set(given), set(influences), heads)
    )
    tie = 1e-6 * far / max(float(far.max()), 1e-12)
    probability = np.where(was_given | came_from, 1.0 - tie, NAME_PROBABILITY - tie)
    order = np.lexsort((-probability, child))
    child, parent, probability, far = child[order], parent[order], probability[order], far[order]
    first = np.searchsorted(child, child)
    drawn = arborescence(len(names), child, parent, _odds(probability), float(_odds(np.array([least]))[0]))
    return Tree(
        child=child,
        parent=parent,
        rank=np.arange(1, len(child) + 1) - first,
        probability=probability,
        by_sound=np.full(len(child), np.nan),
        name_head=by_name[order],
        known=was_given[order],
        influence=came_from[order],
        drawn=drawn[child] == parent,
        distance=far,
        size_difference=known.size[parent] - known.size[child],
        artist_containment=pairs.artist_containment(child, parent),
        years_older=pairs.years_older(child, parent),
        hits=(np.nan, np.nan),
    )


def _odds(probability: Floats) -> Floats:
    bounded = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(bounded / (1 - bounded)), dtype=np.float64)
