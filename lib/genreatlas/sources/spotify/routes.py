"""Lists to be read for each genre, and each list's share of a genre's songs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from genreatlas.config import PlaylistsEntry, SearchEntry
from genreatlas.errors import ConfigError, InputError
from genreatlas.ids import stable_id
from genreatlas.sources.credits import normalise_artist
from genreatlas.sources.genres import Genre, GenreNames, GenreParent, genre_slug
from genreatlas.sources.spotify.links import require_link
from genreatlas.sources.spotify.lists import Wanted
from genreatlas.values import JsonView, Params


@dataclass(frozen=True)
class NamedList:
    """A playlist of a genre, found on a route such as ``configuration``."""

    playlist_id: str
    genre: Genre
    route: str
    role: str | None = None


@dataclass(frozen=True)
class Search:
    """A search for playlists of a genre; ``parent`` is its parent if it is a subgenre."""

    query: str
    number: int
    genre: Genre
    parent: GenreParent | None

    @property
    def key(self) -> str:
        """Key of the search: hash of the query and the number of results."""
        return stable_id("search", self.query, self.number)


@dataclass(frozen=True)
class NamedArtist:
    """An artist on the Every Noise page of a genre, with its weight there (0 to 1)."""

    genre: Genre
    name: str
    artist_id: str | None
    weight: float

    @property
    def list_id(self) -> str:
        """Key of the list of the artist's songs."""
        return f"search:artist:{self.artist_id or normalise_artist(self.name)}"


def configured_lists(entries: Iterable[PlaylistsEntry]) -> list[NamedList]:
    """Playlists of ``[[playlists]]``.

    Raises
    ------
    ConfigError : a name is not a genre, or a link is not a playlist.
    """
    found = []
    for number, entry in enumerate(entries, 1):
        genre = _genre(entry.genre, f"[[playlists]] number {number}")
        try:
            ids = [require_link(uri, "playlist") for uri in entry.uris]
        except InputError as error:
            raise ConfigError(f"[[playlists]] number {number} ({entry.genre}): {error}") from None
        found += [NamedList(playlist_id, genre, "configuration") for playlist_id in ids]
    return found


def configured_searches(entries: Iterable[SearchEntry]) -> list[Search]:
    """Searches of ``[[spotify.searches]]``.

    Raises
    ------
    ConfigError : a name is not a genre.
    """
    found = []
    for number, entry in enumerate(entries, 1):
        where = f"[[spotify.searches]] number {number}"
        above = _genre(entry.genre, where)
        genre = _genre(entry.subgenre, where) if entry.subgenre else above
        parent = None
        if genre.genre_id != above.genre_id:
            parent = GenreParent(genre.genre_id, genre.name, above.genre_id, above.name)
        found.append(Search(entry.query or genre.name, entry.playlists, genre, parent))
    return found


def is_chosen(genre: Genre, chosen: Sequence[str]) -> bool:
    """Whether a genre is in ``chosen`` (``spotify.genres``), by name or slug; True for all genres if it is empty."""
    return not chosen or any(
        text == genre.genre_id or text.casefold() == genre.name.casefold() or genre_slug(text) == genre.genre_id
        for text in chosen
    )


def shares(lists: Iterable[NamedList], songs_per_genre: int) -> dict[str, tuple[Wanted, ...]]:
    """Genres of each playlist, with the maximum number of songs for each genre.

    The songs of a genre are divided evenly among its playlists; the remainder is taken from the first ones. So the
    songs of a playlist do not depend on the content of other playlists, and a genre has at most ``songs_per_genre``.
    """
    by_genre: dict[str, dict[str, NamedList]] = defaultdict(dict)
    for named in lists:
        by_genre[named.genre.genre_id].setdefault(named.playlist_id, named)
    wanted: dict[str, list[Wanted]] = defaultdict(list)
    for genre_id in sorted(by_genre):
        count = len(by_genre[genre_id])
        for place, named in enumerate(by_genre[genre_id].values()):
            number = songs_per_genre // count + (place < songs_per_genre % count)
            if number:
                wanted[named.playlist_id].append(Wanted(genre_id, named.genre.name, named.route, named.role, number))
    return {playlist_id: tuple(genres) for playlist_id, genres in sorted(wanted.items())}


def artist_lists(
    artists: Iterable[NamedArtist], per_genre: int, per_artist: int, songs_per_genre: int
) -> dict[str, tuple[NamedArtist, tuple[Wanted, ...]]]:
    """Searches by artist: the artists with the highest weights of each genre, up to ``songs_per_genre`` songs.

    Parameters
    ----------
    per_genre : maximum number of artists of a genre.
    per_artist : maximum number of songs of an artist for a genre.
    """
    by_genre: dict[str, list[NamedArtist]] = defaultdict(list)
    for artist in artists:
        by_genre[artist.genre.genre_id].append(artist)
    found: dict[str, tuple[NamedArtist, list[Wanted]]] = {}
    for genre_id in sorted(by_genre):
        left = songs_per_genre
        heaviest = sorted(by_genre[genre_id], key=lambda artist: (-artist.weight, artist.list_id))
        seen: set[str] = set()
        for artist in heaviest:
            if len(seen) == per_genre or left <= 0:
                break
            if artist.list_id in seen:
                continue
            seen.add(artist.list_id)
            number = min(per_artist, left)
            left -= number
            wanted = Wanted(genre_id, artist.genre.name, "artists", None, number, artist.weight)
            found.setdefault(artist.list_id, (artist, []))[1].append(wanted)
    return {list_id: (artist, tuple(wanted)) for list_id, (artist, wanted) in sorted(found.items())}


def known_snapshot(genres: Sequence[Wanted], stored: Mapping[str, JsonView], settings: Params) -> str | None:
    """Snapshot at which a list was read for all these genres with the same selection; None if it has to be read.

    Parameters
    ----------
    stored : the list's rows of ``playlists`` by genre.
    settings : result of :func:`genreatlas.sources.spotify.lists.selected_by`.
    """
    rows = [stored.get(genre.genre_id) for genre in genres]
    snapshots = {row["snapshot"] if row else None for row in rows}
    same = all(row and row["selection"] == g.selection(settings) for row, g in zip(rows, genres, strict=True))
    return snapshots.pop() if same and len(snapshots) == 1 else None


def _genre(text: str, where: str) -> Genre:
    genre = GenreNames().read(text)
    if genre is None:
        raise ConfigError(f"{where}: {text!r} is not a genre.")
    return genre
