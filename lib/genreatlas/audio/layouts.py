"""Layouts: how the values of a feature set are stored, read by models, exported and shown in SQL.

A layout is an object that knows all of this for the sets that have it; ``feature_sets.axis`` holds its name. A new one
is a subclass of :class:`Layout` and a call of :func:`register`, and nothing else asks which layout it has at hand.
What Spark has to do with its rows, a layout gives as text in Spark's SQL: there is no pyspark here.

Models see a clip in one of two shapes, whatever its table looks like: one row of values (``features array<float>``), or
several rows of equal width laid end to end (``frames array<float>``, ``width int``, ``n_frames int``).
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

#: Blocks of neighbouring dimensions that importances of a vector are measured of: one dimension of hundreds tells
#: nothing alone, and each would cost as many predictions as a feature with a name does.
VECTOR_BLOCKS = 32


class Layout:
    """How the values of feature sets are stored and used.

    A subclass has :attr:`name`, :attr:`prefix` and :attr:`word`, says what its columns are and how values get into them
    (:meth:`columns`, :meth:`pack`, :meth:`unpack`), and with :attr:`read` how models read them.
    """

    name: str  #: what ``feature_sets.axis`` holds
    prefix: str  #: how the name of a set's table begins
    word: str  #: "<word> set" is what the views and messages call a set of this layout
    by_column = False  #: each feature is a column of the table; numbers are read as they are, names one-hot
    several = False  #: models see several rows a clip, of which training takes some
    timed = False  #: rows lie at equal distances in time
    makes_words = False  #: rows are frames of numbers, of which k-means can make audio words
    exported = True  #: `export` writes it; else SQL reads its table as it is
    #: Column that models read (``features``, or ``frames``, ``width``, ``n_frames``) = Spark SQL over the set's table;
    #: None where models do not learn from the layout, or its features are columns that are encoded one by one.
    read: ClassVar[Mapping[str, str] | None] = None
    #: Its rows mean something in their order only: engines that read sequences learn from it, and no others.
    in_order = False

    # How values are stored.

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """Columns of a set's table behind its key, each with the Spark SQL over a worker's row that fills it."""
        raise NotImplementedError

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """What was computed of a set becomes a worker's row; ValueError where a value may not be stored."""
        raise NotImplementedError

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """Values (n_rows, n_features) of what :meth:`pack` made."""
        raise NotImplementedError

    def filled(self, values: npt.NDArray[np.float32]) -> dict[str, list[Any]]:
        """Columns of the table from numbers (n_clips, n_features) that somebody else computed; NaN becomes NULL."""
        raise ConfigError(f"sets of {self.name} cannot be imported")

    def table_name(self, set_name: str) -> str:
        """Name of the table that holds a set."""
        return f"{self.prefix}_{set_name}"

    def table(
        self,
        set_name: str,
        comment: str,
        columns: Sequence[Column] | None = None,
        written_by: tuple[str, ...] = ("extract_features",),
    ) -> Table:
        """The table that holds a set; without columns, those that every set of the layout has."""
        if columns is None:
            columns = [column for column, _ in self.columns(())]
        return feature_table(self.table_name(set_name), comment, columns, written_by)

    # How models read them.

    def reading(self, features: Sequence[str]) -> Mapping[str, str] | None:
        """:attr:`read`, of a set with features of these names."""
        return self.read

    @property
    def learns(self) -> bool:
        """Whether models learn from it."""
        return self.by_column or self.several or self.read is not None

    @property
    def joins(self) -> bool:
        """Whether its features can stand beside those of other sets: models read one row a clip."""
        return self.learns and not self.several

    def feature(self, name: str, place: int) -> str:
        """SQL over the set's table: one feature of a clip, by its name and place, where models read one row a clip."""
        return f"`{name}`" if self.read is None else f"{self.read['features']}[{place}]"

    @property
    def values(self) -> str:
        """Column with the values that models read."""
        return "frames" if self.several else "features"

    @property
    def given(self) -> tuple[str, ...]:
        """Columns that a model needs to score a clip."""
        return ("frames", "width") if self.several else ("features",)

    @property
    def width(self) -> str:
        """SQL: values in a row."""
        return "width" if self.several else "size(features)"

    @property
    def n_rows(self) -> str:
        """SQL: rows of a clip, from the columns of :attr:`given`."""
        return "cast(size(frames) / width AS int)" if self.several else "1"

    @property
    def row(self) -> str:
        """SQL: values of row number ``frame``."""
        return "slice(frames, frame * width + 1, width)" if self.several else "features"

    def thinned(self, most: int) -> str:
        """SQL: the values of at most so many of a clip's rows, evenly spaced, where there are several."""
        step = f"greatest(1, ceil(size(frames) / width / {most}))"
        return f"filter(frames, (v, i) -> cast(floor(i / width) AS int) % {step} = 0)"

    def blocks(self, features: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
        """Columns of the matrix that importances shuffle together, with their name.

        One feature each, in the order of the matrix; columns ``name=value`` of one category share one.
        """
        columns: dict[str, list[int]] = {}
        for place, name in enumerate(features):
            columns.setdefault(name.partition("=")[0], []).append(place)
        return [(name, tuple(places)) for name, places in columns.items()]

    # How `export` writes them.

    @property
    def as_read(self) -> "Layout":
        """The layout whose :meth:`shard` takes the columns that models read of this one, where these are several."""
        return FRAMES

    def clip_bytes(self, n_features: int) -> str:
        """SQL over the set's table: bytes of a clip's values in a shard."""
        raise NotImplementedError

    def shard(self, features: Sequence[str], rows: RowView) -> dict[str, npt.NDArray]:
        """Arrays of a shard: ``values`` (n_rows, width), ``offsets`` (n_clips + 1) of each clip's rows, and its own.

        Parameters
        ----------
        features : names of the set's features.
        rows : columns of the set's table as Arrow arrays in chunks, one row a clip.
        """
        raise NotImplementedError


class Summary(Layout):
    """One row of values a clip, one column a feature; ``arrays`` are further columns with lists of numbers."""

    name, prefix, word = "summary", "features", "summary"
    by_column = True
    exported = False

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """A double a feature, and an array of doubles for each of the arrays."""
        found = [
            (Column(f.name, "double", f.comment, f.unit, source=source_of(f)), f"`values`[{place}]")
            for place, f in enumerate(features)
        ]
        return found + [
            (Column(a.name, "array<double>", a.comment, a.unit), f"arrays[{place}]") for place, a in enumerate(arrays)
        ]

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """Values with NaN where undefined; arrays have no such value."""
        name, values = feature_set.name, computed[feature_set.name]
        arrays = [np.asarray(computed[f"{name}.{array.name}"], dtype=np.float64) for array in feature_set.arrays]
        reject_infinite(feature_set, values)
        for array, numbers in zip(feature_set.arrays, arrays, strict=True):
            if not np.isfinite(numbers).all():
                raise ValueError(f"{name}: not finite: {array.name}")
        return Extracted(name, feature_set.version, np.asarray(values, dtype=np.float64), arrays or None)

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """One row."""
        return filled_field(packed.values)[None, :]


class Vector(Layout):
    """One row of hundreds of values a clip in one column: embeddings, whose dimensions have names but no meaning."""

    name, prefix, word = "vector", "vectors", "vector"
    read: ClassVar = {"features": VECTOR_COLUMN.name}

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """One array."""
        return [(VECTOR_COLUMN, "frames")]

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """Values as float32, none of them undefined."""
        values = computed[feature_set.name]
        bad = [f.name for f, known in zip(feature_set.features, np.isfinite(values), strict=True) if not known]
        if bad:
            raise ValueError(f"{feature_set.name}: not finite: {', '.join(bad[:10])}")
        return Extracted(feature_set.name, feature_set.version, frames=pack(values), width=len(values))

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """One row."""
        return filled_field(packed.frames)[None, :]

    def filled(self, values: npt.NDArray[np.float32]) -> dict[str, list[Any]]:
        """One list a clip."""
        rows = [[None if math.isnan(number) else number for number in row] for row in values.tolist()]
        return {VECTOR_COLUMN.name: rows}

    def blocks(self, features: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
        """At most :data:`VECTOR_BLOCKS` blocks of neighbouring dimensions, named by the first and the last."""
        n_blocks = min(len(features), VECTOR_BLOCKS)
        found = []
        for block in np.array_split(np.arange(len(features)), n_blocks) if n_blocks else []:
            places = tuple(int(place) for place in block)
            first, last = features[places[0]], features[places[-1]]
            found.append((first if first == last else f"{first}..{last}", places))
        return found

    def clip_bytes(self, n_features: int) -> str:
        """Four bytes a value."""
        return str(4 * n_features)

    def shard(self, features: Sequence[str], rows: RowView) -> dict[str, npt.NDArray]:
        """One row a clip."""
        values = flat_values(rows[VECTOR_COLUMN.name]).reshape(-1, len(features))
        return {"values": values, "offsets": np.arange(len(values) + 1, dtype=np.int64)}


class Frames(Layout):
    """Rows at equal distances in time, packed into one column."""

    name, prefix, word = "frames", "frames", "frame"
    several = timed = makes_words = True
    read: ClassVar = {"frames": "frames", "width": "width", "n_frames": "n_frames"}

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """The packed values and how they are cut."""
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
        """One row a frame."""
        return unpack(filled_field(packed.frames), filled_field(packed.width))

    def clip_bytes(self, n_features: int) -> str:
        """Four bytes a value."""
        return f"cast(n_frames AS bigint) * {4 * n_features}"

    def shard(self, features: Sequence[str], rows: RowView) -> dict[str, npt.NDArray]:
        """The frames of all clips end to end."""
        return {"values": flat_values(rows["frames"]).reshape(-1, rows["width"][0].as_py())} | row_offsets(
            rows["n_frames"]
        )


class Quantised(Layout):
    """Frames packed as bytes with one scale a clip: spectrograms for networks."""

    name, prefix, word = "quantised", "frames", "quantised"
    several = timed = in_order = True
    read: ClassVar = {name: name for name in ("frames", "width", "n_frames", "lowest", "step")}

    @property
    def given(self) -> tuple[str, ...]:
        """The bytes, how they are cut, and their scale."""
        return ("frames", "width", "lowest", "step")

    @property
    def n_rows(self) -> str:
        """SQL: a byte is a value."""
        return "cast(length(frames) / width AS int)"

    @property
    def row(self) -> str:
        """SQL: values of row number ``frame``, as :func:`dequantise` gives them."""
        byte = "cast(conv(hex(substring(frames, frame * width + place, 1)), 16, 10) AS float)"
        return f"transform(sequence(1, width), place -> {byte} * cast(step AS float) + cast(lowest AS float))"

    @property
    def as_read(self) -> Layout:
        """The bytes stay bytes."""
        return self

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """The packed bytes, how they are cut, and their scale."""
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
        """One row a frame, off by half a step at most."""
        lowest, step = filled_field(packed.values)
        return dequantise(filled_field(packed.quantised), filled_field(packed.width), lowest, step)

    def clip_bytes(self, n_features: int) -> str:
        """One byte a value."""
        return f"cast(n_frames AS bigint) * {n_features}"

    def shard(self, features: Sequence[str], rows: RowView) -> dict[str, npt.NDArray]:
        """The bytes of all clips end to end, with the scale of each."""
        packed = np.frombuffer(b"".join(rows["frames"].to_pylist()), dtype=np.uint8)
        scale = {name: rows[name].to_numpy() for name in ("lowest", "step")}
        return {"values": packed.reshape(-1, rows["width"][0].as_py())} | scale | row_offsets(rows["n_frames"])


class Events(Layout):
    """Things that happen at times of their own (notes, segments): one array a feature, all of a length."""

    name, prefix, word = "events", "events", "event"
    several = in_order = True

    def reading(self, features: Sequence[str]) -> Mapping[str, str] | None:
        """Events end to end, NULL where undefined."""
        arrays = ", ".join(f"`{name}`" for name in features)
        values = ", ".join(f"event.`{name}`" for name in features)
        return {
            "frames": f"flatten(transform(arrays_zip({arrays}), event -> array({values})))",
            "width": str(len(features)),
            "n_frames": EVENT_COUNT.name,
        }

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """Their number, and an array a feature."""
        return [
            (EVENT_COUNT, "n_frames"),
            *(
                (Column(f.name, "array<float>", f.comment, f.unit), f"cast(arrays[{place}] AS array<float>)")
                for place, f in enumerate(features)
            ),
        ]

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """An array a feature, NaN where undefined."""
        values = computed[feature_set.name]
        reject_infinite(feature_set, values)
        columns = [np.ascontiguousarray(column, dtype=np.float64) for column in values.T]
        return Extracted(feature_set.name, feature_set.version, arrays=columns, n_frames=len(values))

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """One row an event."""
        return np.stack(filled_field(packed.arrays), axis=1)

    def clip_bytes(self, n_features: int) -> str:
        """Four bytes a value."""
        return f"cast(n_events AS bigint) * {4 * n_features}"

    def shard(self, features: Sequence[str], rows: RowView) -> dict[str, npt.NDArray]:
        """The events of all clips end to end, NaN where undefined."""
        values = np.stack([flat_values(rows[name]) for name in features], axis=1)
        return {"values": values} | row_offsets(rows["n_events"])


class Codes(Layout):
    """Codes of 32 bits in their order, one array a feature, all of a length; no number that a model could learn from.

    Spark's whole numbers have a sign: -1 is the code of 32 ones. ``bit_count(a ^ b)`` counts bits that differ.
    """

    name, prefix, word = "codes", "codes", "code"
    exported = False

    def columns(self, features: Sequence[Feature], arrays: Sequence[Feature] = ()) -> list[tuple[Column, str]]:
        """Their number, and an array a feature."""
        return [
            (CODE_COUNT, "n_frames"),
            *(
                (Column(f.name, "array<int>", f.comment, f.unit), f"cast(arrays[{place}] AS array<int>)")
                for place, f in enumerate(features)
            ),
        ]

    def pack(self, feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
        """An array a feature of numbers from -2**31 to 2**31 - 1."""
        values = computed[feature_set.name]
        whole = np.ascontiguousarray(values.T).astype(np.uint32).view(np.int32)
        columns = [column.astype(np.float64) for column in whole.reshape(len(feature_set.features), -1)]
        return Extracted(feature_set.name, feature_set.version, arrays=columns, n_frames=len(columns[0]))

    def unpack(self, packed: Extracted) -> npt.NDArray[np.floating]:
        """One row a code, as numbers from 0 on."""
        signed = np.stack(filled_field(packed.arrays), axis=1)
        return np.where(signed < 0, signed + 2.0**32, signed)


SUMMARY, VECTOR, FRAMES, EVENTS = Summary(), Vector(), Frames(), Events()
QUANTISED, CODES = Quantised(), Codes()

#: Every layout by its name.
LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (SUMMARY, VECTOR, FRAMES, EVENTS, QUANTISED, CODES)}


def register(layout: Layout) -> Layout:
    """Make a layout known under its name; :func:`genreatlas.audio.feature_sets.registered` brings it to workers."""
    LAYOUTS[layout.name] = layout
    return layout


def get_layout(name: str) -> Layout:
    """The layout of that name.

    Raises
    ------
    ConfigError : this release has none of that name.
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
    computed : what :func:`genreatlas.audio.feature_sets.compute_sets` returns.

    Raises
    ------
    ValueError : a value is infinite; a value of a frame, a vector or of a summary's array is NaN.
    """
    return get_layout(feature_set.axis).pack(feature_set, computed)
