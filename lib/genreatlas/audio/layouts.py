"""Layouts: how the values of a feature set are stored, read by models, exported and shown in SQL.

``feature_sets.axis`` contains the name of a set's layout. To add a layout, subclass :class:`Layout` and call
:func:`register`; no other code depends on the layout's name. A layout returns Spark SQL expressions as text, so that
this module does not import pyspark.

Models read a clip in one of two shapes, independent of its table: one row of values (``features array<float>``), or
several concatenated rows of equal width (``frames array<float>``, ``width int``, ``n_frames int``).
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from genreatlas.audio.extracted import (
    Extracted,
    filled_field,
    flat_values,
    reject_infinite,
    row_offsets,
    source_of,
)
from genreatlas.audio.frames import Array, dequantise, pack, quantise, unpack
from genreatlas.audio.sets.definition import Feature, FeatureSet
from genreatlas.errors import ConfigError
from genreatlas.tables import (
    CODE_COUNT,
    EVENT_COUNT,
    FRAME_COLUMNS,
    QUANTISED_COLUMNS,
    VECTOR_COLUMN,
    Column,
    Table,
    feature_table,
)
from genreatlas.values import RowView

#: Number of blocks of adjacent dimensions for which importances of a vector are measured. A single dimension has no
#: interpretable importance, and each would require as many predictions as a named feature.
VECTOR_BLOCKS = 32


class Layout:
    """How the values of feature sets are stored and used.

    A subclass sets :attr:`name`, :attr:`prefix` and :attr:`word`, defines the columns and how values are written to
    them (:meth:`columns`, :meth:`pack`, :meth:`unpack`), and with :attr:`read` how models read them.
    """

    name: str  #: value of ``feature_sets.axis``
    prefix: str  #: prefix of the names of the sets' tables
    word: str  #: views and messages call a set of this layout "<word> set"
    by_column = (
        False  #: each feature is a column of the table; numeric ones are read unchanged, categorical ones one-hot
    )
    several = False  #: models read several rows per clip, of which training uses a sample
    timed = False  #: rows are equidistant in time
    makes_words = False  #: rows are numeric frames that k-means can cluster into audio words
    exported = True  #: written by `export`; otherwise its table is read by SQL directly
    #: Spark SQL over the set's table for each column that models read (``features``, or ``frames``, ``width``,
    #: ``n_frames``); None if models do not use the layout, or its features are columns that are encoded one by one.
    read: ClassVar[Mapping[str, str] | None] = None
    #: The order of rows matters: only engines for sequences can be trained on the layout.
    in_order = False

    # Storage of values.

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """Columns of a set's table after its key, each with the Spark SQL over a worker's row that computes it."""
        raise NotImplementedError

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """Convert computed values to a worker's row. Raises ValueError for values that cannot be stored."""
        raise NotImplementedError

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """Return the values, (n_rows, n_features), of a row made by :meth:`pack`."""
        raise NotImplementedError

    def filled(self, values: npt.NDArray[np.float32]) -> dict[str, list[Any]]:
        """Columns of the table from imported values (n_clips, n_features); NaN becomes NULL."""
        raise ConfigError(f"sets of {self.name} cannot be imported")

    def table_name(self, set_name: str) -> str:
        """Name of a set's table."""
        return f"{self.prefix}_{set_name}"

    def table(
        self,
        set_name: str,
        comment: str,
        columns: Sequence[Column] | None = None,
        written_by: tuple[str, ...] = ("extract_features",),
    ) -> Table:
        """Definition of a set's table. The default columns are those common to all sets of the layout."""
        if columns is None:
            columns = [column for column, _ in self.columns(())]
        return feature_table(self.table_name(set_name), comment, columns, written_by)

    # Reading by models.

    def reading(self, features: Sequence[str]) -> Mapping[str, str] | None:
        """Value of :attr:`read` for a set with these features."""
        return self.read

    @property
    def learns(self) -> bool:
        """Whether models can be trained on the layout."""
        return self.by_column or self.several or self.read is not None

    @property
    def joins(self) -> bool:
        """Whether its features can be combined with other sets: models read one row per clip."""
        return self.learns and not self.several

    def feature(self, name: str, place: int) -> str:
        """SQL over the set's table: one feature by its name and index, if models read one row per clip."""
        return f"`{name}`" if self.read is None else f"{self.read['features']}[{place}]"

    @property
    def values(self) -> str:
        """Name of the column with the values that models read."""
        return "frames" if self.several else "features"

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the columns that a model needs to score a clip."""
        return ("frames", "width") if self.several else ("features",)

    @property
    def width(self) -> str:
        """SQL: number of values per row."""
        return "width" if self.several else "size(features)"

    @property
    def n_rows(self) -> str:
        """SQL: number of rows of a clip, from the columns of :attr:`given`."""
        return "cast(size(frames) / width AS int)" if self.several else "1"

    @property
    def row(self) -> str:
        """SQL: values of the row with index ``frame``."""
        return "slice(frames, frame * width + 1, width)" if self.several else "features"

    def thinned(self, most: int) -> str:
        """SQL: values of at most ``most`` evenly spaced rows of a clip."""
        step = f"greatest(1, ceil(size(frames) / width / {most}))"
        return f"filter(frames, (v, i) -> cast(floor(i / width) AS int) % {step} = 0)"

    def blocks(self, features: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
        """Groups of matrix columns that are permuted together to measure importances, with their names.

        One group per feature, in the order of the matrix; the one-hot columns ``name=value`` of a feature form a group.
        """
        columns: dict[str, list[int]] = {}
        for place, name in enumerate(features):
            columns.setdefault(name.partition("=")[0], []).append(place)
        return [(name, tuple(places)) for name, places in columns.items()]

    # Writing by `export`.

    @property
    def as_read(self) -> "Layout":
        """The layout whose :meth:`shard` accepts the columns that models read, if they read several rows per clip."""
        return FRAMES

    def clip_bytes(self, n_features: int) -> str:
        """SQL over the set's table: size of a clip's values in a shard, in bytes."""
        raise NotImplementedError

    def shard(self, features: Sequence[str], rows: RowView) -> dict[str, npt.NDArray]:
        """Arrays of a shard: ``values`` (n_rows, width), row ``offsets`` (n_clips + 1,), and others of the layout.

        Parameters
        ----------
        features : names of the set's features.
        rows : columns of the set's table as chunked Arrow arrays, one row per clip.
        """
        raise NotImplementedError


class Summary(Layout):
    """One row of values per clip, one column per feature; ``arrays`` are additional columns with lists of numbers."""

    name, prefix, word = "summary", "features", "summary"
    by_column = True
    exported = False

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """One double column per feature, and one column of double arrays per array."""
        found = [
            (Column(f.name, "double", f.comment, f.unit, source=source_of(f)), f"`values`[{place}]")
            for place, f in enumerate(features)
        ]
        return found + [
            (Column(a.name, "array<double>", a.comment, a.unit), f"arrays[{place}]") for place, a in enumerate(arrays)
        ]

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """Values may be NaN (undefined); arrays must be finite."""
        name, values = feature_set.name, computed[feature_set.name]
        arrays = [np.asarray(computed[f"{name}.{array.name}"], dtype=np.float64) for array in feature_set.arrays]
        reject_infinite(feature_set, values)
        for array, numbers in zip(feature_set.arrays, arrays, strict=True):
            if not np.isfinite(numbers).all():
                raise ValueError(f"{name}: not finite: {array.name}")
        return Extracted(name, feature_set.version, np.asarray(values, dtype=np.float64), arrays or None)

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """Values as one row."""
        return filled_field(packed.values)[None, :]


class Vector(Layout):
    """One array of values per clip in a single column, for embeddings, whose dimensions have no meaning."""

    name, prefix, word = "vector", "vectors", "vector"
    read: ClassVar = {"features": VECTOR_COLUMN.name}

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """One array column."""
        return [(VECTOR_COLUMN, "frames")]

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """Values as float32; NaN is not allowed."""
        values = computed[feature_set.name]
        bad = [f.name for f, known in zip(feature_set.features, np.isfinite(values), strict=True) if not known]
        if bad:
            raise ValueError(f"{feature_set.name}: not finite: {', '.join(bad[:10])}")
        return Extracted(feature_set.name, feature_set.version, frames=pack(values), width=len(values))

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """Values as one row."""
        return filled_field(packed.frames)[None, :]

    def filled(self, values: npt.NDArray[np.float32]) -> dict[str, list[Any]]:
        """One list per clip."""
        rows = [[None if math.isnan(number) else number for number in row] for row in values.tolist()]
        return {VECTOR_COLUMN.name: rows}

    def blocks(self, features: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
        """At most :data:`VECTOR_BLOCKS` groups of adjacent dimensions, named by the first and the last."""
        n_blocks = min(len(features), VECTOR_BLOCKS)
        found = []
        for block in np.array_split(np.arange(len(features)), n_blocks) if n_blocks else []:
            places = tuple(int(place) for place in block)
            first, last = features[places[0]], features[places[-1]]
            found.append((first if first == last else f"{first}..{last}", places))
        return found

    def clip_bytes(self, n_features: int) -> str:
        """Four bytes per value."""
        return str(4 * n_features)

    def shard(self, features: Sequence[str], rows: RowView) -> dict[str, npt.NDArray]:
        """One row per clip."""
        values = flat_values(rows[VECTOR_COLUMN.name]).reshape(-1, len(features))
        return {"values": values, "offsets": np.arange(len(values) + 1, dtype=np.int64)}


class Frames(Layout):
    """Rows equidistant in time, packed into one column."""

    name, prefix, word = "frames", "frames", "frame"
    several = timed = makes_words = True
    read: ClassVar = {"frames": "frames", "width": "width", "n_frames": "n_frames"}

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """The packed values, their width, number and hop."""
        return [(column, column.name) for column in FRAME_COLUMNS]

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """Values as float32, frame-major."""
        values = computed[feature_set.name]
        n_frames, width = values.shape
        return Extracted(
            feature_set.name,
            feature_set.version,
            frames=pack(values),
            n_frames=n_frames,
            width=width,
            hop_s=feature_set.hop_s,
        )

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """One row per frame."""
        return unpack(filled_field(packed.frames), filled_field(packed.width))

    def clip_bytes(self, n_features: int) -> str:
        """Four bytes per value."""
        return f"cast(n_frames AS bigint) * {4 * n_features}"

    def shard(self, features: Sequence[str], rows: RowView) -> dict[str, npt.NDArray]:
        """Concatenated frames of all clips."""
        return {"values": flat_values(rows["frames"]).reshape(-1, rows["width"][0].as_py())} | row_offsets(
            rows["n_frames"]
        )


class Quantised(Layout):
    """Frames packed as bytes with one scale per clip: spectrograms for networks."""

    name, prefix, word = "quantised", "frames", "quantised"
    several = timed = in_order = True
    read: ClassVar = {name: name for name in ("frames", "width", "n_frames", "lowest", "step")}

    @property
    def given(self) -> tuple[str, ...]:
        """The bytes, their width and their scale."""
        return ("frames", "width", "lowest", "step")

    @property
    def n_rows(self) -> str:
        """SQL: number of rows; one byte is one value."""
        return "cast(length(frames) / width AS int)"

    @property
    def row(self) -> str:
        """SQL: values of the row with index ``frame``, as from :func:`dequantise`."""
        byte = "cast(conv(hex(substring(frames, frame * width + place, 1)), 16, 10) AS float)"
        return f"transform(sequence(1, width), place -> {byte} * cast(step AS float) + cast(lowest AS float))"

    @property
    def as_read(self) -> Layout:
        """This layout: bytes are exported as bytes."""
        return self

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """The packed bytes, their width, number and hop, and their scale."""
        filled = {"lowest": "`values`[0]", "step": "`values`[1]", "frames": "quantised"}
        return [(column, filled.get(column.name, column.name)) for column in QUANTISED_COLUMNS]

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """Values as bytes, frame-major; see :func:`quantise`."""
        values = computed[feature_set.name]
        n_frames, width = values.shape
        lowest, step, packed = quantise(values)
        return Extracted(
            feature_set.name,
            feature_set.version,
            np.array([lowest, step]),
            quantised=packed,
            n_frames=n_frames,
            width=width,
            hop_s=feature_set.hop_s,
        )

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """One row per frame, with an error of at most half a step."""
        lowest, step = filled_field(packed.values)
        return dequantise(filled_field(packed.quantised), filled_field(packed.width), lowest, step)

    def clip_bytes(self, n_features: int) -> str:
        """One byte per value."""
        return f"cast(n_frames AS bigint) * {n_features}"

    def shard(self, features: Sequence[str], rows: RowView) -> dict[str, npt.NDArray]:
        """Concatenated bytes of all clips, with the scale of each clip."""
        packed = np.frombuffer(b"".join(rows["frames"].to_pylist()), dtype=np.uint8)
        scale = {name: rows[name].to_numpy() for name in ("lowest", "step")}
        return {"values": packed.reshape(-1, rows["width"][0].as_py())} | scale | row_offsets(rows["n_frames"])


class Events(Layout):
    """Events at irregular times (notes, segments): one array per feature, all of the same length."""

    name, prefix, word = "events", "events", "event"
    several = in_order = True

    def reading(self, features: Sequence[str]) -> Mapping[str, str] | None:
        """Concatenated events, NULL where undefined."""
        arrays = ", ".join(f"`{name}`" for name in features)
        values = ", ".join(f"event.`{name}`" for name in features)
        return {
            "frames": f"flatten(transform(arrays_zip({arrays}), event -> array({values})))",
            "width": str(len(features)),
            "n_frames": EVENT_COUNT.name,
        }

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """The number of events, and one array per feature."""
        return [
            (EVENT_COUNT, "n_frames"),
            *(
                (Column(f.name, "array<float>", f.comment, f.unit), f"cast(arrays[{place}] AS array<float>)")
                for place, f in enumerate(features)
            ),
        ]

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """One array per feature, NaN where undefined."""
        values = computed[feature_set.name]
        reject_infinite(feature_set, values)
        columns = [np.ascontiguousarray(column, dtype=np.float64) for column in values.T]
        return Extracted(feature_set.name, feature_set.version, arrays=columns, n_frames=len(values))

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """One row per event."""
        return np.stack(filled_field(packed.arrays), axis=1)

    def clip_bytes(self, n_features: int) -> str:
        """Four bytes per value."""
        return f"cast(n_events AS bigint) * {4 * n_features}"

    def shard(self, features: Sequence[str], rows: RowView) -> dict[str, npt.NDArray]:
        """Concatenated events of all clips, NaN where undefined."""
        values = np.stack([flat_values(rows[name]) for name in features], axis=1)
        return {"values": values} | row_offsets(rows["n_events"])


class Codes(Layout):
    """Sequences of 32-bit codes, one array per feature, all of the same length. Models do not use codes.

    Codes are stored as Spark's signed integers: -1 is the code of 32 ones. ``bit_count(a ^ b)`` counts differing bits.
    """

    name, prefix, word = "codes", "codes", "code"
    exported = False

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """The number of codes, and one array per feature."""
        return [
            (CODE_COUNT, "n_frames"),
            *(
                (Column(f.name, "array<int>", f.comment, f.unit), f"cast(arrays[{place}] AS array<int>)")
                for place, f in enumerate(features)
            ),
        ]

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """One array per feature, with values from -2**31 to 2**31 - 1."""
        values = computed[feature_set.name]
        whole = np.ascontiguousarray(values.T).astype(np.uint32).view(np.int32)
        columns = [column.astype(np.float64) for column in whole.reshape(len(feature_set.features), -1)]
        return Extracted(feature_set.name, feature_set.version, arrays=columns, n_frames=len(columns[0]))

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """One row per code, as non-negative numbers."""
        signed = np.stack(filled_field(packed.arrays), axis=1)
        return np.where(signed < 0, signed + 2.0**32, signed)


SUMMARY, VECTOR, FRAMES, EVENTS = Summary(), Vector(), Frames(), Events()
QUANTISED, CODES = Quantised(), Codes()

#: All layouts by name.
LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (SUMMARY, VECTOR, FRAMES, EVENTS, QUANTISED, CODES)}


def register(layout: Layout) -> Layout:
    """Register a layout. :func:`genreatlas.audio.feature_sets.registered` sends it to workers."""
    LAYOUTS[layout.name] = layout
    return layout


def get_layout(name: str) -> Layout:
    """Return the layout with this name.

    Raises
    ------
    ConfigError : no layout has this name.
    """
    if name not in LAYOUTS:
        near = difflib.get_close_matches(name, LAYOUTS, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(LAYOUTS)}."
        raise ConfigError(f"no layout of feature sets is called {name!r}. {hint}")
    return LAYOUTS[name]


def pack_set(feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
    """Pack a set into one row.

    Parameters
    ----------
    feature_set : the set.
    computed : result of :func:`genreatlas.audio.feature_sets.compute_sets`.

    Raises
    ------
    ValueError : a value is infinite, or a value of frames, of a vector or of a summary's array is NaN.
    """
    return get_layout(feature_set.axis).pack(feature_set, computed)
