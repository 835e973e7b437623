"""Checks of model files from untrusted sources: allowed classes, and indices inside their arrays.

skops refuses types that are not trusted, but it trusts all of scikit-learn and does not check numbers: a tree with a
child index past its last node makes compiled code read out of bounds and crash. So before loading, the classes in a
file are compared with those that training writes; after loading, indices in arrays are checked.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import sklearn
from sklearn.base import BaseEstimator
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.svm import SVC
from sklearn.tree._tree import Tree

from genreatlas.arrays import AnyArray
from genreatlas.errors import ModelError
from genreatlas.models.engines.file_models import release
from genreatlas.values import JsonObject

Array = AnyArray

#: Types in our model files that skops does not trust by default: parts of scikit-learn's estimators, and our scaler.
TRUSTED = (
    "genreatlas.models.engines.scikit_learn.log_scaler.LogScaler",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.ChebyshevDistance64",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
)

#: Package = classes that may occur in the files of the grid's estimators.
_CLASSES = {
    "builtins": {"dict", "list", "tuple", "str", "int", "float", "bool", "slice"},
    "numpy": {"dtype", "ndarray", "float64", "float32", "int64", "int32", "uint64", "uint32", "uint8", "bool", "bool_"},
    "scipy": {"csr_matrix", "csr_array"},
    "genreatlas": {"LogScaler"},
    "sklearn": {
        *(name.rpartition(".")[2] for name in TRUSTED if name.startswith("sklearn.")),
        "AdaBoostClassifier", "CyHalfBinomialLoss", "CyHalfMultinomialLoss", "DecisionTreeClassifier",
        "ExtraTreeClassifier", "ExtraTreesClassifier", "HalfBinomialLoss", "HalfMultinomialLoss",
        "HistGradientBoostingClassifier", "IdentityLink", "Interval", "KNeighborsClassifier", "LabelBinarizer",
        "LabelEncoder", "LinearSVC", "LogisticRegression", "LogitLink", "LogLink", "MinMaxScaler", "MultinomialLogit",
        "OneVsRestClassifier", "Pipeline", "RandomForestClassifier", "RobustScaler", "SVC", "SimpleImputer",
        "StandardScaler", "_BinMapper",
    },
}  # fmt: skip
_GENERATORS = {"Generator", "RandomState", "PCG64", "MT19937", "SeedSequence"}
_LOADERS = {
    "DictNode", "ListNode", "TupleNode", "JsonNode", "TypeNode", "DTypeNode", "NdArrayNode", "ObjectNode", "LossNode",
    "TreeNode", "RandomGeneratorNode", "RandomStateNode", "SparseMatrixNode", "SliceNode", "CachedNode", None,
}  # fmt: skip
#: Types that may occur as values, as skops writes the types of dictionary keys.
_TYPES = {"str", "int", "float", "bool", "int64", "float64"}


def check_schema(content: bytes) -> None:
    """Raise unless a skops file has only classes that training writes, from this scikit-learn version or earlier.

    Raises
    ------
    ModelError : the file is not a skops file, has another class or function, a tree whose number of outputs is not as
        declared, or estimators of a later scikit-learn, which this version may read wrongly.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            schema = json.loads(archive.read("schema.json"))
            shapes = {name: _shape(archive, name) for name in archive.namelist() if name.endswith(".npy")}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"the model file cannot be read as skops: {error}") from None
    for node in _nodes(schema):
        name, package = node["__class__"], str(node.get("__module__")).partition(".")[0]
        loader = node.get("__loader__")
        known = _CLASSES.get(package, set())
        if node.get("__module__") in ("numpy.random._generator", "numpy.random.mtrand", "numpy.random"):
            known = _GENERATORS
        if loader not in _LOADERS or name not in known or (loader == "TypeNode" and name not in _TYPES):
            raise ModelError(
                f"the model file holds {node.get('__module__')}.{name}, which training does not write. "
                "It was not loaded."
            )
        if name == "Tree":
            _check_outputs(node, shapes)
        _check_version(node.get("content"))


def _check_version(state: object) -> None:
    """Raise if the state of an estimator is of a later scikit-learn version."""
    stored = state.get("_sklearn_version") if isinstance(state, dict) else None
    written = stored.get("content") if isinstance(stored, dict) else None
    if isinstance(written, str) and release(written) > release(sklearn.__version__):
        version = written.strip('"')
        raise ModelError(
            f"the model file was written by scikit-learn {version}, and this is {sklearn.__version__}, which may read "
            f"it wrongly. Use scikit-learn {version} or later, or run train_models again here."
        )


def _nodes(schema: Any) -> Iterator[JsonObject]:
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("__class__"), str):
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(file)[0]


def _check_outputs(node: JsonObject, shapes: dict[str, tuple[int, ...]]) -> None:
    """Check the class counts of a tree: its constructor reads one per output without checking their number."""
    try:
        _, counts, outputs = node["__reduce__"]["args"]["content"]
        fits = int(outputs["content"]) == 1 and shapes[counts["file"]] == (1,)
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        raise ModelError("the model file holds a tree whose outputs do not fit its classes. It was not loaded.")


def check_arrays(model: BaseEstimator, n_features: int) -> None:
    """Raise unless every index in a fitted pipeline is within the bounds of its array.

    Parameters
    ----------
    model : a loaded pipeline.
    n_features : number of input columns of its first step.

    Raises
    ------
    ModelError : an index is out of bounds; names the part.
    """
    for part in _parts(model):
        kind = type(part).__name__
        if isinstance(part, Tree):
            fits = _tree_fits(part, n_features)
        elif kind == "TreePredictor":
            fits = _predictor_fits(part, n_features)
        elif kind in ("KDTree", "BallTree"):
            fits = _neighbours_fit(part, n_features)
        elif isinstance(part, SVC) and hasattr(part, "support_vectors_"):
            fits = _svc_fits(part, n_features)
        else:
            continue
        if not fits:
            raise ModelError(f"the model file is damaged: indices of its {kind} point outside their arrays.")


def _parts(model: Any) -> Iterator[Any]:
    """Yield every scikit-learn object in a model once."""
    waiting, seen = [model], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, np.ndarray):
            if value.dtype == object:
                waiting += value.ravel().tolist()
        elif type(value).__module__.startswith("sklearn.") and id(value) not in seen:
            seen.add(id(value))
            yield value
            waiting += list(vars(value).values()) if hasattr(value, "__dict__") else []


def _children_fit(left: Array, right: Array, inner: Array, count: int) -> bool:
    """Whether children of inner nodes come after their parent and exist, so that every path ends at a leaf."""
    place = np.arange(count)
    return bool(
        np.all((left[inner] > place[inner]) & (left[inner] < count))
        and np.all((right[inner] > place[inner]) & (right[inner] < count))
    )


def _tree_fits(tree: Tree, n_features: int) -> bool:
    state = tree.__getstate__()
    nodes, values = state["nodes"], state["values"]
    count = state["node_count"]
    if count < 1 or len(nodes) != count or values.shape != (count, tree.n_outputs, tree.max_n_classes):
        return False
    left, right, feature = (nodes[name].astype(np.int64) for name in ("left_child", "right_child", "feature"))
    inner = left != -1
    return (
        tree.n_features == n_features
        and _children_fit(left, right, inner, count)
        and bool(np.all((feature[inner] >= 0) & (feature[inner] < n_features)))
    )


def _predictor_fits(tree: Any, n_features: int) -> bool:
    nodes = tree.nodes
    if nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
        return False
    left, right, feature = (nodes[name].astype(np.int64) for name in ("left", "right", "feature_idx"))
    inner = nodes["is_leaf"] == 0
    categorical = inner & (nodes["is_categorical"] != 0)
    bitsets = [np.asarray(getattr(tree, name)) for name in ("raw_left_cat_bitsets", "binned_left_cat_bitsets")]
    return (
        _children_fit(left, right, inner, len(nodes))
        and bool(np.all((feature[inner] >= 0) & (feature[inner] < n_features)))
        and all(sets.ndim == 2 and sets.shape[1] == 8 and sets.dtype == np.uint32 for sets in bitsets)
        and bool(np.all(nodes["bitset_idx"][categorical] < min(map(len, bitsets))))
    )


def _neighbours_fit(tree: Any, n_features: int) -> bool:
    data, order, nodes, bounds, leaf_size, _, n_nodes = tree.__getstate__()[:7]
    data, order, nodes, bounds = (np.asarray(part) for part in (data, order, nodes, bounds))
    count = len(data)
    if data.ndim != 2 or data.shape[1] != n_features or order.shape != (count,) or leaf_size < 1:
        return False
    if n_nodes != len(nodes) or bounds.ndim != 3 or bounds.shape[1:] != (n_nodes, n_features) or n_nodes < 1:
        return False
    start, end, place = nodes["idx_start"], nodes["idx_end"], np.arange(n_nodes)
    inner = nodes["is_leaf"] == 0
    return bool(
        np.array_equal(np.sort(order), np.arange(count))
        and np.all((start >= 0) & (start <= end) & (end <= count))
        and np.all(2 * place[inner] + 2 < n_nodes)
        and bounds.shape[0] == (2 if type(tree).__name__ == "KDTree" else 1)
    )


def _svc_fits(machine: SVC, n_features: int) -> bool:
    vectors, counts, duals = machine.support_vectors_, machine._n_support, machine._dual_coef_
    classes = len(machine.classes_)
    pairs = classes * (classes - 1) // 2
    return bool(
        machine.kernel in ("rbf", "linear", "poly", "sigmoid")
        and not machine._sparse
        and vectors.ndim == 2
        and vectors.shape[1] == n_features
        and counts.shape == (classes,)
        and np.all(counts >= 0)
        and counts.sum() == len(vectors) == len(machine.support_)
        and duals.shape == (classes - 1, len(vectors))
        and machine._intercept_.shape == (pairs,)
        and all(len(sigmoid) in (0, pairs) for sigmoid in (machine._probA, machine._probB))
    )
