"""What the page of the map shows, as plain values: all that it and the report know of a map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: Audio inside the page, in bytes of its data URIs. What does not fit is named without a player.
MOST_AUDIO = 5_000_000


@dataclass(frozen=True)
class MapLens:
    """One map: places of genres, and what its directions mean.

    Attributes
    ----------
    lens_id : key of ``MapGenre.places``.
    title, note : in the choice of lenses, and one or two sentences on how to read it.
    x_ends, y_ends : words at the left and right, and at the top and bottom; None: without meaning.
    """

    lens_id: str
    title: str
    note: str = ""
    x_ends: tuple[str, str] | None = None
    y_ends: tuple[str, str] | None = None


@dataclass(frozen=True)
class MapMeasure:
    """A number of each genre, for colours, axes and the profile: a feature, the age, the accuracy of the classifier."""

    measure_id: str
    title: str
    unit: str = ""


@dataclass(frozen=True)
class MapParent:
    """A possible parent: its probability, and the evidence in words."""

    genre_id: str
    probability: float
    evidence: str = ""


@dataclass(frozen=True)
class MapExample:
    """A song that stands for a genre.

    Attributes
    ----------
    title : artist and title.
    source : data URI of audio, or path relative to the page, with slashes and not percent-encoded; played on a click.
    link : http or https address, which only the reader's click opens; shown where there is no source.
    part : start and end in seconds of what is played of a longer file; None: all of it.
    """

    title: str
    source: str = ""
    link: str = ""
    part: tuple[float, float] | None = None


@dataclass(frozen=True)
class MapGenre:
    """What the page knows of one genre; whatever is absent is left out.

    Attributes
    ----------
    genre_id, name : unique id, and name for people.
    places : lens_id = (x, y); any scale, y downward as on a screen.
    instability : lens_id = how far its place strays over half-samples, in radii of the map.
    predicted : lenses on which the place is a prediction.
    n_songs : recordings; decides the size of the label. 0: not known.
    region, subregion : indices into ``MapData.regions`` and ``subregions``.
    values : measure_id = value.
    neighbours : genre_id and distance in all dimensions, the nearest first.
    parents : ranked, the likeliest first.
    tree_parent : its parent in the tree that is drawn; None for a root.
    year, year_span : first years, and their interval.
    typical : most typical songs, as artist and title.
    evolution : decade, x, y on the first lens.
    weight : how well known the genre is; decides the size of the label in place of ``n_songs``.
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
    """Everything on the page.

    Attributes
    ----------
    genres, lenses : as above; the first lens is shown first.
    measures : the first is offered first; a dozen is plenty.
    regions, subregions : names of coarse and fine regions.
    title : heading.
    drawn_from : completes "6,291 genres, drawn from …".
    neighbours_note, tree_note : how neighbours were found; what the tree is and is not.
    source : tables, versions and runs that the page comes from.
    report_href : relative address of the report; empty: there is none.
    missing : what the map lacks and why, a sentence each.
    """

    genres: Sequence[MapGenre]
    lenses: Sequence[MapLens]
    measures: Sequence[MapMeasure] = ()
    regions: Sequence[str] = ()
    subregions: Sequence[str] = ()
    title: str = "Map of genres"
    drawn_from: str = "what their songs sound like"
    neighbours_note: str = (
        "Found in all dimensions of the sound, not on this map. The smaller the distance, the more alike."
    )
    tree_note: str = "The likeliest parents: a guess from shared artists, sound, names and years, not a history."
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
