"""Tables of features: one table a set, whose columns follow from the set's layout.

Columns of a summary's table come from the registry of feature sets (or from an import's configuration), so that SQL
says ``avg(tempo)`` and nobody needs to know a position. Sets of other layouts are packed into a few columns;
:mod:`genreatlas.audio.layouts` says which set has which.
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
    comment="Which features a set has: the registry's sets that were extracted, and every imported one.",
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
        Column("position", "int", "Place of the feature in the training matrix, from 0."),
        Column("feature", "string", "Column name; of a vector, the name of the dimension.", nullable=False),
        Column("kind", "string", "numeric, or categorical (one-hot encoded in training).", nullable=False),
        Column(
            "axis",
            "string",
            "Layout: summary, vector, frames, events, quantised or codes; models train on the first three.",
            nullable=False,
        ),
        Column("unit", "string", "Unit, empty where it has none.", nullable=False),
        Column("preprocessing_id", "string", "Preprocessing of the newest rows.", nullable=False),
        Column(
            "source",
            "string",
            "registry, the file that it was imported from, or topics of a set.",
            nullable=False,
        ),
    ),
)

EMBEDDINGS = Table(
    name="embeddings",
    comment="Pretrained networks whose outputs are feature sets, as [[extract.embeddings]] named them.",
    written_by=("extract_features",),
    key=("feature_set", "set_version"),
    history=True,
    family="features",
    columns=(
        Column("feature_set", "string", "Name of the set that the network makes: its embedding, or its tags."),
        Column("set_version", "string", "Version of the set: a hash of the network and of all around it."),
        Column("sha256", "string", "Hash of the network's ONNX file.", nullable=False),
        Column("licence", "string", "Licence of the weights.", nullable=False),
        Column("taught", "string", "What it was taught, and on what; empty where nobody said.", nullable=False),
        Column("file", "string", "Where the file was when features were last extracted.", nullable=False),
        Column("entry", "string", "The entry as JSON: rate, spectrogram, patches, outputs.", nullable=False),
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
    Column("frames", "array<float>", "Frame-major values: frame i holds [i * width, (i + 1) * width).", nullable=False),
)
#: Columns of sets of frames whose values are bytes: ``lowest + step * byte`` is the value.
QUANTISED_COLUMNS = (
    *_EVENLY,
    Column("lowest", "double", "Value of the byte 0, in the unit of the set's features.", nullable=False),
    Column("step", "double", "Difference between neighbouring bytes; 0 where all are equal.", nullable=False),
    Column("frames", "binary", "Frame-major bytes: frame i holds [i * width, (i + 1) * width).", nullable=False),
)
#: Stands before one array column per feature of a set of events.
EVENT_COUNT = Column("n_events", "int", "Number of events, which all arrays of the row have.", nullable=False)
#: Stands before one array column per feature of a set of codes.
CODE_COUNT = Column("n_codes", "int", "Number of codes, which all arrays of the row have.", nullable=False)
#: Column of sets with hundreds of values a clip that no one asks for by name.
VECTOR_COLUMN = Column(
    "vector", "array<float>", "Values of the set's dimensions, in the order of feature_sets.position.", nullable=False
)


def feature_table(
    name: str, comment: str, columns: Iterable[Column], written_by: tuple[str, ...] = ("extract_features",)
) -> Table:
    """Table of a feature set: one row per clip, version and preprocessing, and behind the key the set's own columns."""
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
