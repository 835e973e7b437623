"""Features of all windows of a file, in the form that a model requires, in a Spark worker or for a single file.

The function for workers does not import Spark: it takes Arrow batches of files and yields Arrow batches of windows.
"""

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genreatlas.audio.decode import SILENCE_DBFS
from genreatlas.audio.extracted import Extracted
from genreatlas.audio.feature_sets import ALWAYS, FEATURE_SETS, FeatureSet, Registered, get_feature_set, registered
from genreatlas.audio.isolation import run_isolated, time_for, too_much_memory, unknown_fault
from genreatlas.audio.layouts import get_layout
from genreatlas.audio.preprocess import choose_window, file_windows, preprocessing_id, reject_short
from genreatlas.audio.probe import FileLayout, Source, lay_out, open_file, probe
from genreatlas.audio.uris import uri_to_path
from genreatlas.audio.worker import extract_clip, warm_up
from genreatlas.config import ClipSection, LimitsSection
from genreatlas.config.joined import column_of, joined_name, members_of
from genreatlas.errors import ClipError, ModelError, Reason
from genreatlas.values import Row

_LONGEST_DETAIL = 500

#: Input and output columns of :func:`window_batches`. The output has one row per window, or one row with a reason and
#: no window for a file that is not usable.
REQUEST = "item_id string, uri string, path string, bytes bigint, modified_ns bigint"
RESULT = (
    "item_id string, path string, bytes bigint, modified_ns bigint, duration_s double, window int, start_s double, "
    "length_s double, features array<float>, width int, reason string, detail string"
)
_RESULT = pa.schema(
    [
        ("item_id", pa.string()),
        ("path", pa.string()),
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("duration_s", pa.float64()),
        ("window", pa.int32()),
        ("start_s", pa.float64()),
        ("length_s", pa.float64()),
        ("features", pa.list_(pa.float32())),
        ("width", pa.int32()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)


@dataclass(frozen=True)
class Recipe:
    """How to compute a model's features from audio.

    Parameters
    ----------
    feature_set : name of the set, or of several joined sets (:mod:`genreatlas.config.joined`).
    clip, limits : settings of the cut and limits of extraction.
    columns : the model's columns: the set's features in order, categories as ``name=value``.
    hop_s : distance between windows, in seconds; 0: their length.
    max_windows : maximum number of windows per file; 0: no limit.
    registered : layouts and sets that are not the package's own. They take precedence.
    cut : use a single window, the cut that extraction uses.
    """

    feature_set: str
    clip: ClipSection
    limits: LimitsSection
    columns: tuple[str, ...]
    hop_s: float = 0.0
    max_windows: int = 0
    registered: Registered = field(default_factory=registered)
    cut: bool = False

    def find(self, name: str) -> FeatureSet | None:
        """Return a set by its name; None if unknown."""
        mine = {one.name: one for one in self.registered.feature_sets}
        return mine.get(name) or FEATURE_SETS.get(name)

    def sets(self) -> list[FeatureSet]:
        """Sets to extract: the model's, and those in :data:`genreatlas.audio.feature_sets.ALWAYS`.

        Raises
        ------
        ConfigError : a set is unknown.
        """
        names = dict.fromkeys((*members_of(self.feature_set), *ALWAYS))
        return [self.find(name) or get_feature_set(name) for name in names]


@dataclass(frozen=True)
class Window:
    """One window: values (n_rows, n_columns) float32 (one row, or the frames), or the reason why there are none."""

    start_s: float
    length_s: float
    values: NDArray[np.float32] | None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Windows:
    """The windows of a file, at least one of them usable."""

    duration_s: float
    windows: tuple[Window, ...]


def check_recipe(model_id: str, set_version: str, made_as: str, recipe: Recipe) -> None:
    """Reject a model whose features this release computes differently.

    Raises
    ------
    ModelError : the feature set was imported, or the version of the set or of the preprocessing has changed.
    """
    now = preprocessing_id(recipe.clip)
    for name, version, made in zip(*map(members_of, (recipe.feature_set, set_version, made_as)), strict=True):
        mine = recipe.find(name)
        if mine is None:
            raise ModelError(
                f"model {model_id}: its features {name} were imported, so they cannot be computed from audio. (Or a "
                "network computes them that was not in extract.embeddings at training: add it and train again.)"
            )
        if mine.version != version or now != made:
            raise ModelError(
                f"model {model_id}: it was trained on {name} version {version}, preprocessing {made}; "
                f"this release computes version {mine.version}, preprocessing {now}. "
                "Train again, or use the release that trained it."
            )


def whole_file(source: Source | bytes, recipe: Recipe, content: bool = False) -> Windows:
    """Extract every window of a file.

    Parameters
    ----------
    source : path or open file; with ``content``, the bytes of the file.
    recipe : features to compute.

    Raises
    ------
    ClipError : the file is not usable, or none of its windows is (the error of the first window is raised).
    """

    def opened() -> Source:
        return io.BytesIO(source) if content else source  # type: ignore[arg-type]

    with open_file(opened()) as file:
        layout = lay_out(file)
    info = probe(opened(), layout)
    reject_short(recipe.clip, info.duration_s)
    sets = recipe.sets()
    windows: list[Window] = []
    faults: list[ClipError] = []
    cuts = [choose_window(recipe.clip, info.duration_s)]
    if not recipe.cut:
        cuts = file_windows(recipe.clip, info.duration_s, recipe.hop_s, recipe.max_windows)
    for start_s, length_s in cuts:
        try:
            windows.append(Window(start_s, length_s, _values(opened(), start_s, length_s, recipe, sets, layout)))
        except ClipError as error:
            faults.append(error)
            windows.append(Window(start_s, length_s, None, error.reason.value, error.detail))
    if len(faults) == len(windows):
        raise faults[0]
    return Windows(info.duration_s, tuple(windows))


def _values(
    source: Source, start_s: float, length_s: float, recipe: Recipe, sets: Sequence[FeatureSet], layout: FileLayout
) -> NDArray[np.float32]:
    try:
        found = extract_clip(source, start_s, length_s, recipe.clip, sets, recipe.limits.max_clip_mb, layout)
    except ValueError as error:
        raise ClipError(Reason.FEATURES_FAILED, str(error)[:_LONGEST_DETAIL]) from None
    return cut_values(found, start_s, length_s, recipe)


def cut_values(found: Sequence[Extracted], start_s: float, length_s: float, recipe: Recipe) -> NDArray[np.float32]:
    """Rows of a recipe's columns, (n_rows, n_columns) float32, from the sets extracted from a cut.

    Parameters
    ----------
    found : at least the sets of :meth:`Recipe.sets`.
    start_s, length_s : the cut in seconds, for messages.
    recipe : the columns.

    Raises
    ------
    ClipError : the cut is silent.
    """
    by_name = {one.feature_set: one for one in found}
    level = by_name["loudness"].values
    peak = [feature.name for feature in get_feature_set("loudness").features].index("peak_dbfs")
    if level is None or not level[peak] > SILENCE_DBFS:  # NaN if all samples are 0
        raise ClipError(Reason.SILENT, f"Digital silence from {start_s:g} s to {start_s + length_s:g} s.")
    mine = recipe.sets()[: len(members_of(recipe.feature_set))]
    rows = np.concatenate([get_layout(one.axis).unpack(by_name[one.name]) for one in mine], axis=1)
    if not len(rows):  # no events in the window: a single row of NaN
        rows = np.full((1, rows.shape[1]), np.nan)
    joined = _joined(mine)
    if recipe.columns == tuple(feature.name for feature in joined.features):
        return rows.astype(np.float32, copy=False)
    return np.stack([encode(row, joined, recipe.columns) for row in rows])


def _joined(sets: Sequence[FeatureSet]) -> FeatureSet:
    """Combine several sets into one, with the set's name as prefix of each feature; a single set is unchanged."""
    if len(sets) == 1:
        return sets[0]
    features = (replace(feature, name=column_of(one.name, feature.name)) for one in sets for feature in one.features)
    return replace(sets[0], name=joined_name(one.name for one in sets), features=tuple(features))


def encode(values: NDArray[np.floating], feature_set: FeatureSet, columns: Sequence[str]) -> NDArray[np.float32]:
    """Encode values of a set, (n_features,), as a model's columns: numbers unchanged, categories one-hot."""
    by_name = {feature.name: (feature, value) for feature, value in zip(feature_set.features, values, strict=True)}
    row = np.empty(len(columns), dtype=np.float32)
    for place, column in enumerate(columns):
        name, equals, category = column.partition("=")
        feature, value = by_name[name]
        if equals and feature.kind == "categorical":
            row[place] = float(f"{value:g}" == category)
        else:
            row[place] = value
    return row


def window_batches(recipe: Recipe, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Extract the windows of files in :data:`REQUEST`. Yields one batch of :data:`RESULT` per file."""
    recipe.registered.adopt()
    recipe = replace(recipe, registered=Registered())  # the helper is forked with the adopted sets
    warm = False
    for batch in batches:
        for row in batch.to_pylist():
            if not warm:
                with contextlib.suppress(Exception):  # an error here recurs for every file and is reported in its row
                    warm_up(frozenset(members_of(recipe.feature_set)), recipe.clip)
                warm = True
            yield pa.RecordBatch.from_pylist(_rows(recipe, row), schema=_RESULT)


def _rows(recipe: Recipe, row: Row) -> list[Row]:
    shared = {name: row[name] for name in ("item_id", "path", "bytes", "modified_ns")}
    limits = recipe.limits
    # time limit of a whole file: that of a clip, plus once more per 10 MB
    seconds = time_for(row["bytes"], limits) + limits.clip_seconds * (row["bytes"] or 0) / 10e6
    try:
        found = run_isolated(
            whole_file, uri_to_path(row["uri"]), recipe, seconds=seconds, memory_mb=limits.clip_memory_mb
        )
    except ClipError as error:
        return [shared | {"reason": error.reason.value, "detail": error.detail}]
    except MemoryError:
        return [shared | {"reason": Reason.TOO_LARGE.value, "detail": too_much_memory(limits)}]
    except Exception as error:  # any error that a file can cause in numpy, librosa or the decoder
        return [shared | unknown_fault(error, Reason.FEATURES_FAILED)]
    return [
        shared
        | {
            "duration_s": found.duration_s,
            "window": number,
            "start_s": window.start_s,
            "length_s": window.length_s,
            "features": None if window.values is None else window.values.ravel(),
            "width": None if window.values is None else window.values.shape[1],
            "reason": window.reason,
            "detail": window.detail,
        }
        for number, window in enumerate(found.windows)
    ]
