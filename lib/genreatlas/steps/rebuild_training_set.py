"""Rebuild the training matrix of a model, bit-identical: ``--set rebuild.model_id=...``.

Tables are read at the versions recorded in the model's row. The hash of the result is compared with the model's hash.
"""

from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.errors import ConfigError
from genreatlas.models import rebuilding
from genreatlas.store import Store
from genreatlas.tables import MODELS

READS = (
    "models", "splits", "songs", "song_artists", "song_genres", "genre_parents", "clips", "feature_sets",
    "features_<set>", "vectors_<set>", "frames_<set>", "events_<set>", "recording_links",
)  # fmt: skip
WRITES = ()
SECTIONS = ("rebuild", "models")
check = checks.rebuild_training_set


def run(store: Store, config: Config) -> Counts:
    """Write the training matrix of one model below ``rebuild.path``. Counts are rows of the matrix.

    Raises
    ------
    ConfigError : no model has that id.
    ModelError : see :func:`genreatlas.models.rebuilding.rebuild`.
    """
    wanted = config.rebuild.model_id
    row = store.read(MODELS).where(F.col("model_id") == wanted).first() if wanted else None
    if row is None:
        raise ConfigError(
            f"rebuild.model_id = {wanted!r}: the table models has no such row. "
            "SELECT model_id, candidate FROM models lists them."
        )
    folder = config.rebuild.path.absolute() / wanted
    matrix = rebuilding.rebuild(store, config, row, folder)
    return Counts(
        read=matrix.n_rows,
        written=matrix.n_rows,
        notes=(
            f"{folder}: {matrix.n_rows} rows of {matrix.n_songs} songs, {matrix.n_features} features, "
            f"{matrix.n_classes} classes; sha256 {matrix.sha256}, as the model has it",
        ),
    )
