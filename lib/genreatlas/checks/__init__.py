"""Checks of the configuration before the first step of a job, without Spark and scikit-learn.

Every step has a function of its name here, which the step's module exports as ``check``: ``check(config)`` returns the
problems that would end the step. :mod:`genreatlas.checks.plan` calls the checks of all steps of a job, and checks their
order.
"""

from genreatlas.checks.collecting import (
    collect_songs,
    compose_library,
    fetch_previews,
    import_analyses,
    import_features,
    import_folder,
    scrape_genres,
)
from genreatlas.checks.listening import make_playlist
from genreatlas.checks.modelling import (
    assign_splits,
    evaluate_models,
    export,
    extract_features,
    find_neighbours,
    fit_topics,
    housekeeping,
    link_recordings,
    log_mlflow,
    map_genres,
    measure_drift,
    promote_model,
    publish_site,
    publish_views,
    purge,
    rebuild_training_set,
    rollback,
    score,
    train_models,
    write_report,
)
from genreatlas.checks.probing import probe
from genreatlas.checks.problems import Problem

__all__ = [
    "Problem",
    "assign_splits",
    "collect_songs",
    "compose_library",
    "evaluate_models",
    "export",
    "extract_features",
    "fetch_previews",
    "find_neighbours",
    "fit_topics",
    "housekeeping",
    "import_analyses",
    "import_features",
    "import_folder",
    "link_recordings",
    "log_mlflow",
    "make_playlist",
    "map_genres",
    "measure_drift",
    "probe",
    "promote_model",
    "publish_site",
    "publish_views",
    "purge",
    "rebuild_training_set",
    "rollback",
    "score",
    "scrape_genres",
    "train_models",
    "write_report",
]
