"""What is known of stacks without importing scikit-learn: what may be a member, with which parameters."""

from genreatlas.models.engines.estimators import SWITCH, Facts, list_of, number, one_of
from genreatlas.models.engines.scikit_learn.sklearn_facts import SCALERS
from genreatlas.values import JsonView

#: Stands between the names of joined sets, as in :mod:`genreatlas.config.joined`, which no task needs.
PLUS = "+"

#: What may be a member = its parameters. They are fixed: each is strong on most tables, and a stack's grid is small.
MEMBERS: dict[str, JsonView] = {
    "logistic_regression": {"C": 0.1},
    "svc": {"C": 10.0, "gamma": "scale"},
    "linear_svc": {"C": 0.01},
    "extra_trees": {"min_samples_leaf": 1, "max_features": "sqrt", "scaler": "none"},
    "hist_gradient_boosting": {"learning_rate": 0.1, "max_leaf_nodes": 15, "scaler": "none"},
    "knn": {"n_neighbors": 15},
}

#: Members of a stack that names none.
USUAL = ("logistic_regression", "svc")

#: Name in the configuration = stack. A fit costs as many fits of each member as there are folds.
ESTIMATORS: dict[str, Facts] = {
    "weighted": Facts(
        {
            "C": number(above=0),
            "members": list_of(one_of(*MEMBERS), least=1),
            "member_scaler": one_of(*SCALERS),
            "together": SWITCH,
        },
        {"C": (0.1, 1.0), "members": (USUAL,)},
        max_rows=30_000,
        max_classes=200,
    ),
    "quantiles": Facts(
        {"C": number(above=0), "member": one_of(*MEMBERS), "member_scaler": one_of(*SCALERS)},
        {"C": (0.1,)},
        max_rows=5_000_000,
        max_classes=200,
    ),
}
