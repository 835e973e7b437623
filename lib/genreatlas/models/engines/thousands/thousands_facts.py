"""Descriptions of the estimators of the engine ``numpy``; imports none of the code that fits them."""

from importlib.util import find_spec

from genreatlas.models.engines.estimators import SWITCH, Facts, Memory, number, share, whole

SCALERS = ("standard", "none")

#: Estimators for one genre per song; skipped for multi-label data.
ONE_GENRE = ("lda", "nearest_profile")

#: Maximum number of rows for k-NN without faiss: 20,000 songs with 45 columns take a minute and a half per fold.
MOST_ROWS_WITHOUT_FAISS = 20_000

#: Maximum number of columns for sums in Spark: products of all columns are then 8 MB, three times for each fold.
MOST_COLUMNS_OF_SUMS = 1000

_MOST_ROWS = 5_000_000
_MOST_CLASSES = 20_000

_BY_BATCHES = {
    "epochs": whole(1),
    "batch": whole(1),
    "learning_rate": number(above=0),
    "l2": number(least=0),
    "logit_adjustment": number(least=0, most=1),
    "label_frequency": number(above=0, most=1),
}

#: Name in the configuration = estimator. Memory grows with columns × genres; limits are the largest sizes tried.
ESTIMATORS: dict[str, Facts] = {
    "nearest_profile": Facts(
        {"even": SWITCH},
        {"even": (True,)},
        max_rows=_MOST_ROWS,
        max_classes=_MOST_CLASSES,
        memory=Memory(value=0),
    ),
    "lda": Facts(
        {"shrinkage": number(least=0, most=1), "even": SWITCH},
        {"shrinkage": (0.0, 0.01, 0.1)},
        max_rows=_MOST_ROWS,
        max_classes=_MOST_CLASSES,
        memory=Memory(value=0),
    ),
    "logistic_regression": Facts(
        _BY_BATCHES,
        {"l2": (1e-6, 1e-5)},
        max_rows=_MOST_ROWS,
        max_classes=_MOST_CLASSES,
        memory=Memory(value=0),
    ),
    "multilayer_perceptron": Facts(
        {**_BY_BATCHES, "hidden": whole(1, 4096), "dropout": share(most_is_one=False)},
        {"hidden": (256,), "l2": (1e-6,)},
        max_rows=_MOST_ROWS,
        max_classes=_MOST_CLASSES,
        memory=Memory(value=0),
    ),
    # Each prediction compares with every training song: 300,000 songs × 45 columns take 4 ms with faiss.
    "knn": Facts(
        {"n_neighbors": whole(1, 1000), "even": SWITCH},
        {"n_neighbors": (15, 50)},
        max_rows=500_000,
        max_classes=_MOST_CLASSES,
        weights=False,
        memory=Memory(value=12),
    ),
}


def has_faiss() -> bool:
    """Whether faiss (extra ``neighbours``) is installed."""
    return find_spec("faiss") is not None
