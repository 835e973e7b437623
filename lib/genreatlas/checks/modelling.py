"""Checks of the steps from features to models, and of the steps that use models.

Each public function is the check of the step of its name; its docstring lists what is checked.
"""

from genreatlas.audio.feature_sets import FEATURE_SETS, get_feature_set
from genreatlas.audio.layouts import get_layout
from genreatlas.checks.embeddings import embedding_problems
from genreatlas.checks.problems import Problem, encoding, missing, not_compared, not_installed, not_writable, raised
from genreatlas.config import Config
from genreatlas.config.joined import members_of, not_joined
from genreatlas.models.candidates import candidate_errors
from genreatlas.models.engines import engines

#: Extra with the packages for the map.
_ATLAS = "'genreatlas[atlas]'"
#: Extra with further methods to place genres on the map, and the package of each.
_ATLAS_METHODS = "'genreatlas[atlas-methods]'"
_METHODS = {"umap": "umap", "pacmap": "pacmap"}


def extract_features(config: Config) -> list[Problem]:
    """Feature sets are registered, and pretrained networks fit their entries."""
    found = _known_sets("extract.feature_sets", config.extract.feature_sets)
    known = [FEATURE_SETS[name] for name in config.extract.feature_sets if name in FEATURE_SETS]
    found += [Problem(f"extract.feature_sets: {one.lacking()}.", warning=True) for one in known if one.lacking()]
    return found + embedding_problems(config)


def link_recordings(config: Config) -> list[Problem]:
    """The feature set can be compared, and fingerprints can be computed."""
    found = not_compared("recordings.timbre", config.recordings.timbre, "songs")
    if lacking := get_feature_set("fingerprint").lacking():
        found.append(Problem(f"link_recordings: {lacking}.", warning=True))
    return found


def assign_splits(config: Config) -> list[Problem]:
    """Genres have enough training songs for all folds."""
    section = config.splits
    found = []
    train = 1.0 - section.test - section.promotion
    if train * config.train.min_songs < section.folds:
        text = (
            f"splits.folds = {section.folds}: a genre with train.min_songs = {config.train.min_songs} songs has "
            f"{train * config.train.min_songs:.1f} training songs, so it will be missing in some folds. Raise "
            "train.min_songs, or lower splits.folds."
        )
        found.append(Problem(text, warning=True))
    return found


def fit_topics(config: Config) -> list[Problem]:
    """The feature set has frames, and there are not more topics than words."""
    section = config.topics
    known = FEATURE_SETS.get(section.feature_set)  # None for imported tables
    found = []
    if known is not None and not get_layout(known.axis).makes_words:
        text = f"topics.feature_set: {known.name} holds {known.axis}, but topics need frames. Name such a set."
        found.append(Problem(text))
    if section.topics > section.words:
        text = f"topics.topics = {section.topics}: there are more topics than words (topics.words = {section.words})."
        found.append(Problem(f"{text} Raise topics.words."))
    return found


def train_models(config: Config) -> list[Problem]:
    """Candidates and grids are valid, sets can be joined, labels fit the metric, folders are writable."""
    section = config.train
    found = [Problem(text) for text in candidate_errors(section)]
    for name in section.feature_sets:
        for member in members_of(name):
            known = FEATURE_SETS.get(member)  # None for imported tables, which can be joined
            if member != name and known is not None and not get_layout(known.axis).joins:
                found.append(Problem(not_joined(name, member, known.axis)))
    if section.labels == "multi" and not section.metric.endswith("average_precision"):
        text = (
            f"train.metric = {section.metric} needs one genre per song, but train.labels = multi: candidates are "
            "ranked by macro_average_precision. Set train.metric to an average precision."
        )
        found.append(Problem(text, warning=True))
    if len(dict.fromkeys(section.genres)) == 1:
        found.append(Problem(f"train.genres = {section.genres[0]}: a classifier needs two genres or more. Name more."))
    if 0 < section.max_songs < section.min_songs:
        found.append(
            Problem(f"train.max_songs = {section.max_songs} is below train.min_songs = {section.min_songs}. Raise it.")
        )
    if section.candidates and section.preset == "full":
        text = "train.preset = full has no effect if train.candidates is set. Remove one of the two."
        found.append(Problem(text, warning=True))
    if section.shared_path is not None:
        found += not_writable("train.shared_path", section.shared_path)
    return found + not_writable("models.path", config.models.path)


def evaluate_models(config: Config) -> list[Problem]:
    """The part to evaluate on has songs."""
    part = config.evaluate.part
    if getattr(config.splits, part):
        return []
    text = (
        f"evaluate.part = {part}, but splits.{part} = 0: the part will only have songs whose source declares it. "
        f"Raise splits.{part}, or evaluate on another part."
    )
    return [Problem(text, warning=True)]


def map_genres(config: Config) -> list[Problem]:
    """The feature set can be compared, lenses are named, and packages are installed."""
    found = not_compared("map.feature_set", config.map.feature_set, "genres")
    if not config.map.lenses:
        found.append(Problem("map.lenses is empty: there is no map to draw. Name sound, or labelled."))
    lacks = [one for module in ("openTSNE", "sknetwork") for one in not_installed(module, "map_genres", _ATLAS)]
    if config.map.influences is not None:
        found += missing("map.influences", config.map.influences, "file")
    module = _METHODS.get(config.map.method)
    other = not_installed(module, f'map.method = "{config.map.method}"', _ATLAS_METHODS) if module else []
    return found + lacks[:1] + other


def find_neighbours(config: Config) -> list[Problem]:
    """The feature set can be compared, and the shared folder is writable."""
    section = config.neighbours
    found = not_compared("neighbours.feature_set", section.feature_set, "songs")
    if section.shared_path is not None:
        found += not_writable("neighbours.shared_path", section.shared_path)
    return found


def write_report(config: Config) -> list[Problem]:
    """The report's folder is writable."""
    return not_writable("report.path", config.report.path)


def publish_site(config: Config) -> list[Problem]:
    """The feature set has one row per clip, and the folder is writable."""
    return not_compared("web.feature_set", config.web.feature_set, "songs") + not_writable("web.path", config.web.path)


def export(config: Config) -> list[Problem]:
    """Feature sets can be exported, and the folder is writable."""
    found = _known_sets("export.feature_sets", config.export.feature_sets)
    if not config.export.feature_sets:
        found = [Problem("export.feature_sets is empty: there is nothing to write. Name a feature set.")]
    if not found:
        layouts = {name: get_layout(get_feature_set(name).axis) for name in config.export.feature_sets}
        found = [
            Problem(
                f"export.feature_sets: {name} has one row per clip. Read its table {layout.table_name(name)} "
                "with any tool; export writes vectors and sets of frames, events and bytes."
            )
            for name, layout in layouts.items()
            if not layout.exported
        ]
    return found + not_writable("export.path", config.export.path)


def purge(config: Config) -> list[Problem]:
    """A provider is set."""
    if config.purge.provider:
        return []
    return [Problem("purge.provider is not set: name the provider to purge: spotify, deezer, every_noise or http.")]


def publish_views(config: Config) -> list[Problem]:
    """No checks."""
    return []


def promote_model(config: Config) -> list[Problem]:
    """Engines are given, the promotion part has songs, and the folder of models is writable."""
    found = []
    if not config.retrain.engines:
        names = [engine.name for engine in engines() if not engine.is_baseline]
        found.append(Problem(f"retrain.engines is empty: no model could become champion. Name {' or '.join(names)}."))
    if not config.splits.promotion:
        text = (
            "splits.promotion = 0: there are no songs on which a champion and its challenger are compared. Set it "
            "above 0 before the split is assigned."
        )
        found.append(Problem(text, warning=True))
    return found + not_writable("models.path", config.models.path)


def rollback(config: Config) -> list[Problem]:
    """The folder of models, which contains the alias, is writable."""
    return not_writable("models.path", config.models.path)


def score(config: Config) -> list[Problem]:
    """The files or table to score exist."""
    found = missing("score.path", config.score.path) if config.score.path is not None else []
    return found + encoding("score.encoding", config.score.encoding)


def measure_drift(config: Config) -> list[Problem]:
    """No checks."""
    return []


def log_mlflow(config: Config) -> list[Problem]:
    """MLflow is installed if a tracking URI is set."""
    if not config.mlflow.tracking_uri:
        return [Problem("mlflow.tracking_uri is not set, so nothing is logged. Set it to log models.", warning=True)]
    return not_installed("mlflow", "mlflow.tracking_uri is set, which", "mlflow-skinny")


def rebuild_training_set(config: Config) -> list[Problem]:
    """A model is given, and the folder is writable."""
    found = not_writable("rebuild.path", config.rebuild.path)
    if not config.rebuild.model_id:
        text = "rebuild.model_id is not set. SELECT model_id, candidate FROM models lists them."
        found.append(Problem(text))
    return found


def housekeeping(config: Config) -> list[Problem]:
    """No checks."""
    return []


def _known_sets(key: str, names: tuple[str, ...]) -> list[Problem]:
    return [Problem(f"{key}: {problem}") for name in dict.fromkeys(names) for problem in raised(get_feature_set, name)]
