"""Tables of features: one table per feature set, with columns that depend on the set's layout.

Columns of a summary table come from the registry of feature sets (or from an import's configuration), so that queries
use names such as ``avg(tempo)``, not positions. Sets of other layouts are packed into a few columns;
:mod:`genreatlas.audio.layouts` defines the layout of each set.
"""

from collections.abc import Iterable

from genreatlas.tables.schema import Column, Table

_KEY = (
    Column("clip_id", "string", "Clip (or the imported row's id)."),
    Column("set_version", "string", "Version of the feature set that computed the row."),
    Column("preprocessing_id", "string", "Hash of window, length, rate, mono rule, normalisation and decoder."),
)
_SONG = Column("song_id", "string", "Song that the clip was cut from.", nullable=False)
_KEY_NAMES = tuple(column.name for column in _KEY)

#: Columns of a feature table that are not features.
FEATURE_KEY_COLUMNS = (*_KEY_NAMES, "song_id")


FEATURE_SETS = Table(
    name="feature_sets",
    comment="Features of each set: extracted sets of the registry, and all imported sets.",
    written_by=("extract_features", "import_features", "collect_songs", "fit_topics"),
    key=("feature_set", "set_version", "position"),
    history=True,
    family="features",
    columns=(
        Column(
            "feature_set",
            "string",
            "Name of the set; its table is features_<set>, vectors_<set>, frames_<set>, events_<set> or codes_<set>.",
        ),
        Column("set_version", "string", "Version of the set."),
        Column("position", "int", "Column index of the feature in the training matrix, from 0."),
        Column("feature", "string", "Column name; for vectors, the name of the dimension.", nullable=False),
        Column("kind", "string", "numeric, or categorical (one-hot encoded in training).", nullable=False),
        Column(
            "axis",
            "string",
            "Layout: summary, vector, frames, events, quantised or codes; models train on the first three.",
            nullable=False,
        ),
        Column("unit", "string", "Unit; empty if there is none.", nullable=False),
        Column("preprocessing_id", "string", "Preprocessing of the newest rows.", nullable=False),
        Column(
            "source",
            "string",
            "registry, the imported file, or topics of a set.",
            nullable=False,
        ),
    ),
)

EMBEDDINGS = Table(
    name="embeddings",
    comment="Pretrained networks whose outputs are feature sets, as configured in [[extract.embeddings]].",
    written_by=("extract_features",),
    key=("feature_set", "set_version"),
    history=True,
    family="features",
    columns=(
        Column("feature_set", "string", "Feature set that the network computes: its embedding, or its tags."),
        Column("set_version", "string", "Version of the set: hash of the network, its preprocessing and its outputs."),
        Column("sha256", "string", "Hash of the network's ONNX file.", nullable=False),
        Column("licence", "string", "Licence of the weights.", nullable=False),
        Column("taught", "string", "Training task and data of the network; empty if not stated.", nullable=False),
        Column("file", "string", "Path of the file when features were last extracted.", nullable=False),
        Column("entry", "string", "The configuration as JSON: rate, spectrogram, patches, outputs.", nullable=False),
    ),
)

_EVENLY = (
    Column("n_frames", "int", "Number of frames.", nullable=False),
    Column("width", "int", "Features per frame.", nullable=False),
    Column("hop_s", "double", "Time between the centres of neighbouring frames.", unit="s", nullable=False),
)
#: Columns of sets with many frames per clip, packed into one row.
FRAME_COLUMNS = (
    *_EVENLY,
    Column("frames", "array<float>", "Frame-major values: frame i is [i * width, (i + 1) * width).", nullable=False),
)
#: Columns of sets of frames quantised to bytes: value = ``lowest + step * byte``.
QUANTISED_COLUMNS = (
    *_EVENLY,
    Column("lowest", "double", "Value of the byte 0, in the unit of the set's features.", nullable=False),
    Column(
        "step", "double", "Difference in value between neighbouring bytes; 0 if all values are equal.", nullable=False
    ),
    Column("frames", "binary", "Frame-major bytes: frame i is [i * width, (i + 1) * width).", nullable=False),
)
#: First column of a set of events, before one array column per feature.
EVENT_COUNT = Column("n_events", "int", "Number of events: length of all arrays of the row.", nullable=False)
#: First column of a set of codes, before one array column per feature.
CODE_COUNT = Column("n_codes", "int", "Number of codes: length of all arrays of the row.", nullable=False)
#: Column of sets with hundreds of values per clip that are not queried by name.
VECTOR_COLUMN = Column(
    "vector", "array<float>", "Values of the set's dimensions, in the order of feature_sets.position.", nullable=False
)


def feature_table(
    name: str, comment: str, columns: Iterable[Column], written_by: tuple[str, ...] = ("extract_features",)
) -> Table:
    """Table of a feature set: one row per clip, version and preprocessing. The set's own columns follow the key."""
    return Table(
        name=name,
        comment=comment,
        written_by=written_by,
        key=_KEY_NAMES,
        cluster_by=("clip_id",),
        columns=(*_KEY, _SONG, *columns),
        family="features",
        history=True,
    )


def summary_table(
    set_name: str, comment: str, features: Iterable[Column], written_by: str = "extract_features"
) -> Table:
    """Table of a set with one row per clip and one column per feature."""
    return feature_table(f"features_{set_name}", comment, features, (written_by,))


def frame_table(set_name: str, comment: str) -> Table:
    """Table of a set with many frames per clip, packed into one row."""
    return feature_table(f"frames_{set_name}", comment, FRAME_COLUMNS)
