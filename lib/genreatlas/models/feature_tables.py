"""Which table, version and columns a feature set has now."""

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.audio import feature_sets as registry
from genreatlas.errors import ConfigError, InputError
from genreatlas.models import former
from genreatlas.models.names import nearest
from genreatlas.models.types import Axis
from genreatlas.store import Store
from genreatlas.tables import CLIPS, FEATURE_SETS, SONGS

#: What is known of a file without hearing it. What a model makes of these is not music.
TECHNICAL = "technical"
#: Preprocessing of features that somebody else made: how is for whoever made them to know.
IMPORTED = "imported"
_TECHNICAL_COLUMNS = {
    "sample_rate": "numeric",
    "channels": "numeric",
    "bit_rate": "numeric",
    "duration_s": "numeric",
    "codec": "categorical",
    "provider": "categorical",
}


@dataclass(frozen=True)
class FeatureTable:
    """Where the rows of a feature set are, and what its columns are.

    ``columns`` maps column name to kind (numeric or categorical), in the order of the matrix.
    """

    feature_set: str
    table: str
    set_version: str
    preprocessing_id: str
    axis: Axis
    columns: dict[str, str]

    def rows(self, store: Store) -> DataFrame:
        """Rows of the version, with clip_id, song_id and the features, of clips and songs that still count."""
        if self.feature_set == TECHNICAL:
            return store.live(CLIPS).select("clip_id", "song_id", *self.columns)
        frame = store.read(self.table).where(
            (F.col("set_version") == self.set_version) & (F.col("preprocessing_id") == self.preprocessing_id)
        )
        frame = frame.join(store.ended(CLIPS).select("clip_id"), "clip_id", "left_anti")
        # Imported features have no clips.
        frame = frame.join(store.ended(SONGS).select("song_id"), "song_id", "left_anti")
        return frame.drop("set_version", "preprocessing_id")


def known_feature_sets(store: Store) -> set[str]:
    """Feature sets that the store has rows of; ``technical`` too, where there are clips."""
    sets = {row[0] for row in store.read(FEATURE_SETS).select("feature_set").distinct().collect()}
    return sets | ({TECHNICAL} if store.read(CLIPS).limit(1).count() else set())


def find_feature_table(
    store: Store, feature_set: str, set_version: str | None = None, preprocessing_id: str | None = None
) -> FeatureTable:
    """Look a feature set up in ``feature_sets``, at its current version unless another is asked for.

    Raises
    ------
    ConfigError : there is no such set (the message has the nearest name), or models cannot learn from its shape.
    InputError : the code's version of the set was not extracted yet.
    """
    if feature_set == TECHNICAL:
        return FeatureTable(TECHNICAL, CLIPS.name, "1", "source", "summary", dict(_TECHNICAL_COLUMNS))
    rows = store.read(FEATURE_SETS).toPandas()
    mine = rows[rows.feature_set == feature_set]
    if mine.empty:
        known = sorted(set(rows.feature_set))
        raise ConfigError(
            f"train.feature_sets: the store has no feature set {feature_set!r}. {nearest(feature_set, known)} "
            "Sets come from extract_features and import_features."
        )
    version = set_version or registry.current_version(feature_set, set(mine.set_version.map(str)), set(mine.source))
    mine = mine[mine.set_version == version].sort_values("position")
    if mine.empty:
        raise InputError(
            f"{feature_set}: version {version} has no features yet. Run extract_features, then train_models."
        )
    held = former.present_name("axis", mine.axis.iloc[0])
    if held not in ("summary", "frames"):
        raise ConfigError(
            f"train.feature_sets: {feature_set} holds {held}, which no model here learns from. "
            "Train on a set of the axis summary or frames; `export` writes this one for training elsewhere."
        )
    axis: Axis = "frames" if held == "frames" else "summary"
    return FeatureTable(
        feature_set=feature_set,
        table=f"{'frames' if axis == 'frames' else 'features'}_{feature_set}",
        set_version=version,
        preprocessing_id=preprocessing_id or str(mine.preprocessing_id.iloc[0]),
        axis=axis,
        columns=dict(zip(mine.feature, mine.kind, strict=True)),
    )
