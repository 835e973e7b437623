"""Log models, their parameters and scores to MLflow, and register the model in use; only if [mlflow] is set.

Each model is one run, which is updated when the model's metrics change. If the model in use is a scikit-learn model, it
becomes a version of the registered model, with the alias of [retrain]. It accepts audio bytes or features.
"""

from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.config import Config, former
from genreatlas.counts import Counts
from genreatlas.evaluation import leaderboard
from genreatlas.ids import stable_id
from genreatlas.models import aliases, registry
from genreatlas.models.engines import reader_of
from genreatlas.models.tracking import Tracker, params_of
from genreatlas.store import Reader, Store
from genreatlas.tables import EXPERIMENTS, METRICS, MODELS
from genreatlas.values import Row

READS = ("models", "experiments", "metrics", "promotions")
WRITES: tuple[str, ...] = ()
SECTIONS = ("mlflow", "retrain", "models", "report")
check = checks.log_mlflow


def run(store: Store, config: Config) -> Counts:
    """Log new models and changed metrics. Counts are models.

    Raises
    ------
    ConfigError : MLflow is not installed, or its server cannot be used.
    """
    if not config.mlflow.tracking_uri:
        return Counts(notes=("mlflow.tracking_uri is not set, so nothing is logged.",))
    tracker = Tracker(config.mlflow)
    models = leaderboard.current_models(
        store.read(MODELS).toPandas(), split=config.splits.name, level=config.train.level, labels=config.train.labels
    )
    counts = Counts()
    for model_id in models["model_id"]:
        row = aliases.model_row(store, model_id).asDict()
        if not registry.exists(config, model_id):
            counts += Counts(read=1, failed=1, notes=(f"{model_id}: its files are not in {config.models.path}.",))
            continue
        metrics = _metrics(store, row)
        state = stable_id("mlflow", sorted(metrics.items()))
        if tracker.state(model_id) == state:
            continue
        pictures = sorted(config.report.path.glob("*.svg"))
        folder = config.models.path.absolute() / model_id
        tracker.log(model_id, state, row["candidate"][:200], params_of(row), metrics, folder, pictures)
        counts += Counts(read=1, written=1)
    return counts + _register(store, config, tracker)


def _register(store: Reader, config: Config, tracker: Tracker) -> Counts:
    alias = config.retrain.alias
    decided = aliases.decisions(store, alias)
    if not decided:
        return Counts()
    row = aliases.model_row(store, decided[-1]["model_id"]).asDict()
    engine = reader_of(former.present_name("format", row["format"]))
    if engine.needs_spark:
        return Counts(notes=(f"The {alias} is a model of {engine.title}; only models without Spark are registered.",))
    folder = config.models.path.absolute() / row["model_id"]
    if not tracker.register(row["model_id"], folder, alias, row):
        return Counts()
    return Counts(read=1, written=1, notes=(f"{config.mlflow.model_name}: {row['model_id']} has the alias {alias}",))


def _metrics(store: Reader, row: Row) -> dict[str, float]:
    """Scores over the folds, and song-level metrics of the evaluated parts with their intervals."""
    experiment = store.read(EXPERIMENTS).where(F.col("experiment_id") == row["experiment_id"]).first()
    names = ("score_min", "score_mean", "score_max", "score_std", "train_score_mean", "gap")
    found = {f"folds.{name}": experiment[name] for name in names} if experiment else {}
    mine = (F.col("model_id") == row["model_id"]) & (F.col("genre_id") == "*") & (F.col("other") == "*")
    for figure in store.read(METRICS).where(mine & (F.col("unit") == "song")).collect():
        found[f"{figure['part']}.{figure['metric']}"] = figure["value"]
        found[f"{figure['part']}.{figure['metric']}.low"] = figure["low"]
        found[f"{figure['part']}.{figure['metric']}.high"] = figure["high"]
    return {name: float(value) for name, value in sorted(found.items()) if value is not None and value == value}
