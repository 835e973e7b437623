"""Descriptions of stacks that need no import of scikit-learn: possible members and their parameters."""

from genreatlas.models.engines.estimators import SWITCH, Facts, list_of, number, one_of
from genreatlas.models.engines.scikit_learn.sklearn_facts import SCALERS
from genreatlas.values import JsonView

#: Separator of the names of joined sets, as in :mod:`genreatlas.config.joined`, which tasks do not import.
PLUS = "+"

#: Possible member = its parameters. They are fixed to values that work well on most tables, to keep grids small.
MEMBERS: dict[str, JsonView] = {
    "logistic_regression": {"C": 0.1},
    "svc": {"C": 10.0, "gamma": "scale"},
    "linear_svc": {"C": 0.01},
    "extra_trees": {"min_samples_leaf": 1, "max_features": "sqrt", "scaler": "none"},
    "hist_gradient_boosting": {"learning_rate": 0.1, "max_leaf_nodes": 15, "scaler": "none"},
    "knn": {"n_neighbors": 15},
}

#: Default members of a stack.
USUAL = ("logistic_regression", "svc")

#: Name in the configuration = stack. A fit of a stack takes one fit of each member per fold, and one on all rows.
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
