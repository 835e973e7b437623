"""Candidates of `make results`: every estimator of both engines, and stacks, each with one setting.

With the full grids, the six runs on real data take a day on two cores; with one setting, an hour. Sets of frames have
many rows, so only estimators whose run time is linear in the rows are trained on them.
"""

import json
from collections.abc import Sequence

SUMMARY_ONLY = {
    "sklearn": {
        "svc": {"C": [10.0], "gamma": ["scale"], "scaler": ["standard"]},
        "hist_gradient_boosting": {"learning_rate": [0.1], "max_leaf_nodes": [15], "scaler": ["none"]},
        "ada_boost": {"learning_rate": [1.0], "estimator__max_depth": [2], "scaler": ["none"]},
        "knn": {"n_neighbors": [15], "scaler": ["standard"]},
        "random_forest": {"min_samples_leaf": [1], "max_features": ["sqrt"], "scaler": ["none"]},
        "extra_trees": {"min_samples_leaf": [1], "max_features": ["sqrt"], "scaler": ["none"]},
    },
    "spark": {
        "random_forest": {"numTrees": [100], "maxDepth": [10], "scaler": ["none"]},
        "gbt": {"maxIter": [20], "maxDepth": [3], "scaler": ["none"]},
        "linear_svc": {"regParam": [0.01], "maxIter": [50]},
        "multilayer_perceptron": {"hidden": [[32]]},
        "decision_tree": {"maxDepth": [8], "scaler": ["none"]},
        "naive_bayes": {"scaler": ["standard"]},
    },
}
FRAMES_TOO = {
    "sklearn": {
        "linear_svc": {"C": [0.1], "scaler": ["standard"]},
        "logistic_regression": {"C": [0.1], "scaler": ["standard"]},
    },
    "spark": {"logistic_regression": {"regParam": [0.01]}},
}


#: Members of stacks, which have the parameters above.
MEMBERS = ["logistic_regression", "svc", "extra_trees", "hist_gradient_boosting"]


def candidates(summary_sets: tuple[str, ...], frame_sets: tuple[str, ...] = ()) -> str:
    """The list of candidates as TOML, for ``--set train.candidates=…``."""
    listed = [
        entry(engine, name, sets, grid)
        for group, sets in ((SUMMARY_ONLY, summary_sets), (FRAMES_TOO, (*summary_sets, *frame_sets)))
        for engine, estimators in group.items()
        for name, grid in estimators.items()
    ]
    joined = [list(summary_sets)] if len(summary_sets) > 1 else list(summary_sets)
    listed.append(entry("stack", "weighted", joined, {"C": [0.1], "members": [MEMBERS]}))
    if frame_sets:
        listed.append(entry("stack", "quantiles", frame_sets, {"C": [0.1], "member": ["logistic_regression"]}))
    return f"[{', '.join(listed)}]"


def entry(engine: str, estimator: str, sets: Sequence[str | list[str]], grid: dict[str, list[object]]) -> str:
    """One candidate as a TOML inline table; lists and strings have the same syntax in TOML and JSON.

    A list among the sets is a combination of sets.
    """
    values = ", ".join(f"{key} = {json.dumps(tried)}" for key, tried in grid.items())
    head = f'engine = "{engine}", estimator = "{estimator}", feature_sets = {json.dumps(sets)}'
    return f"{{ {head}, grid = {{ {values} }} }}"
