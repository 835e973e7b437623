"""Data of the map page as plain values: the only input of the map page and of the report's map picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: Maximum size of the page's audio, in bytes of data URIs. Further examples are listed without a player.
MOST_AUDIO = 5_000_000


@dataclass(frozen=True)
class MapLens:
    """One map (lens): title, explanation and axes. Positions are in ``MapGenre.places``.

    Attributes
    ----------
    lens_id : key in ``MapGenre.places``.
    title, note : name in the choice of lenses, and one or two sentences on how to read the map.
    x_ends, y_ends : labels at the left and right, and at the top and bottom; None if the axis has no meaning.
    """

    lens_id: str
    title: str
    note: str = ""
    x_ends: tuple[str, str] | None = None
    y_ends: tuple[str, str] | None = None


@dataclass(frozen=True)
class MapMeasure:
    """A numeric property of genres for colours, axes and profiles: a feature, the age, or the classifier's accuracy."""

    measure_id: str
    title: str
    unit: str = ""


@dataclass(frozen=True)
class MapParent:
    """A possible parent genre: its probability (0 to 1), and the evidence as text."""

    genre_id: str
    probability: float
    evidence: str = ""


@dataclass(frozen=True)
class MapExample:
    """An example song of a genre.

    Attributes
    ----------
    title : artist and title.
    source : data URI of audio, or path relative to the page, with slashes and not percent-encoded; played on a click.
    link : http or https address, opened only on a click; shown if there is no source.
    part : start and end in s of the part of a longer file to play; None for the whole file.
    """

    title: str
    source: str = ""
    link: str = ""
    part: tuple[float, float] | None = None


@dataclass(frozen=True)
class MapGenre:
    """Data of one genre; missing values are not shown.

    Attributes
    ----------
    genre_id, name : unique id, and display name.
    places : (x, y) by lens_id; any scale, y downward.
    instability : RMS displacement of its position in maps of half-samples by lens_id, in radii of the map.
    predicted : lenses on which the position is predicted.
    n_songs : number of recordings, which determines the size of the label; 0 if unknown.
    region, subregion : indices into ``MapData.regions`` and ``subregions``.
    values : value by measure_id.
    neighbours : genre_id and distance in the feature space, nearest first.
    parents : possible parents, most probable first.
    tree_parent : parent in the drawn tree; None for a root.
    year, year_span : estimated first year (column ``born`` of ``genre_profiles``), and its interval.
    example : example song.
    typical : most typical songs, as artist and title.
    evolution : decade, x, y on the first lens.
    weight : prominence of the genre; if given, determines the size of the label instead of ``n_songs``.
    """

    genre_id: str
    name: str
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    instability: Mapping[str, float] = field(default_factory=dict)
    predicted: frozenset[str] = frozenset()
    n_songs: int = 0
    region: int | None = None
    subregion: int | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    neighbours: Sequence[tuple[str, float]] = ()
    parents: Sequence[MapParent] = ()
    tree_parent: str | None = None
    year: float | None = None
    year_span: tuple[float, float] | None = None
    example: MapExample | None = None
    typical: Sequence[str] = ()
    evolution: Sequence[tuple[int, float, float]] = ()
    weight: float | None = None


@dataclass(frozen=True)
class MapData:
    """All data of the map page.

    Attributes
    ----------
    genres, lenses : genres and maps; the first lens is shown first.
    measures : properties of genres, in the order in which they are offered; at most about a dozen.
    regions, subregions : names of coarse and fine regions.
    title : heading.
    drawn_from : completes the text "6,291 genres, drawn from …".
    neighbours_note, tree_note : explanations of the neighbours and of the tree.
    source : text with the tables, versions and runs that the data come from.
    report_href : relative address of the report; empty if there is none.
    missing : missing parts of the map with the reason, one sentence each.
    """

    genres: Sequence[MapGenre]
    lenses: Sequence[MapLens]
    measures: Sequence[MapMeasure] = ()
    regions: Sequence[str] = ()
    subregions: Sequence[str] = ()
    title: str = "Map of genres"
    drawn_from: str = "the sound of their songs"
    neighbours_note: str = (
        "Computed from all dimensions of the sound, not from this map. A smaller distance means more similar."
    )
    tree_note: str = (
        "The most probable parents are predicted from shared artists, sound, names and years; they are not historical "
        "facts."
    )
    source: str = ""
    report_href: str = ""
    missing: Sequence[str] = ()

    @property
    def has_tree(self) -> bool:
        """Whether any genre has a parent."""
        return any(genre.tree_parent is not None for genre in self.genres)

    @property
    def has_years(self) -> bool:
        """Whether any genre has a year."""
        return any(genre.year is not None for genre in self.genres)
