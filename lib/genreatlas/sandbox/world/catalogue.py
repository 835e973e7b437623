"""What there is in the world: genres, songs, artists and playlists, each made when it is asked for.

Either the composed library as it is, or any number of made-up genres: each grows from one of the
composer's, and its songs use that genre's clips.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from genreatlas.config import SandboxSection, WorldSection
from genreatlas.sandbox.names import album_title, artist_name, song_title
from genreatlas.sandbox.plan import chosen_genres, plan_library
from genreatlas.sandbox.world.atlas import Place, made_up_genre, place_of
from genreatlas.sandbox.world.ids import isrc

ROLES = ("sound", "intro", "pulse", "edge", "year", "own")
Role = Literal["sound", "intro", "pulse", "edge", "year", "own"]
EntryKind = Literal["song", "null", "local", "episode"]

SONGS_PER_ARTIST = 5
#: Every so many-th song of a genre is also in the next genre's playlists.
_SHARED = 50
#: Every so many-th song has no ISRC, is not known to Deezer, or is another version there.
_NO_ISRC, _NOT_ON_DEEZER, _OTHER_VERSION, _NO_PREVIEW = 41, 37, 53, 4


@dataclass(frozen=True)
class WorldGenre:
    """A genre of the world; ``base`` is the composer's genre that its clips are in."""

    number: int
    slug: str
    name: str
    base: str
    place: Place


@dataclass(frozen=True)
class WorldSong:
    """A song, with all that any of the services says of it."""

    number: int
    genre: int
    title: str
    artists: tuple[int, ...]
    album: int
    album_title: str
    track_number: int
    duration_ms: int
    explicit: bool
    popularity: int
    isrc: str | None
    release_date: str | None
    precision: str | None
    added_at: str
    clip: str  #: path of its clip below the library
    on_deezer: bool
    other_version: bool
    has_preview: bool


@dataclass(frozen=True)
class Entry:
    """One entry of a playlist; ``number`` is that of the song where it is one."""

    kind: EntryKind
    number: int


class Catalogue:
    """The world's contents.

    Parameters
    ----------
    world : how large, and from which seed.
    library : the composed library that clips come from.
    """

    def __init__(self, world: WorldSection, library: SandboxSection) -> None:
        self.world, self.library = world, library
        self.seed = world.seed
        self._files = [file for file in plan_library(library) if world.genres == 0 or file.fault is None]
        if world.genres:
            self._by_base = {
                base: [file.path for file in self._files if file.genres[0] == base] for base in chosen_genres(library)
            }
            self.genres: Sequence[WorldGenre] = _MadeUp(world, tuple(self._by_base))
            self.song_count = world.genres * world.songs
            self._artists_per_genre = -(-world.songs // SONGS_PER_ARTIST)
            self.artist_count = world.genres * self._artists_per_genre
        else:
            names = chosen_genres(library)
            self.genres = [
                WorldGenre(n, _slug(name), name, name, place_of(world.seed, n, len(names), name))
                for n, name in enumerate(names)
            ]
            self._artist_names = list(dict.fromkeys(file.artist for file in self._files))
            self._artist_numbers = {name: number for number, name in enumerate(self._artist_names)}
            self.song_count, self.artist_count = len(self._files), len(self._artist_names)
        self.song = lru_cache(4096)(self._song)

    def entries(self, genre: int, role: Role) -> list[Entry]:
        """What the playlist of a genre in a role holds, in order; the roles but ``sound`` hold parts of it."""
        numbers = self._songs_of(genre)
        if role == "own" or role == "sound":
            entries = [Entry("song", number) for number in numbers]
            for place, kind in ((5, "null"), (8, "local"), (11, "episode")):
                if place < len(entries):
                    entries.insert(place, Entry(kind, genre * 8 + place))  # type: ignore[arg-type]
            return entries
        step = {"intro": 6, "pulse": 3, "edge": 4, "year": 2}[role]
        return [Entry("song", number) for number in numbers[ROLES.index(role) % step :: step]]

    def artist_name(self, number: int) -> str:
        """Name of an artist."""
        return artist_name(self.seed, number) if self.world.genres else self._artist_names[number]

    def artist_number(self, name: str) -> int | None:
        """The artist of a name, without regard to case."""
        return self._names.get(name.casefold())

    def artist_genre(self, number: int) -> int:
        """The genre that an artist is at home in."""
        if self.world.genres:
            return number // self._artists_per_genre
        return self.song(self.artist_songs(number)[0]).genre

    def artist_songs(self, number: int) -> list[int]:
        """Songs of an artist, the most popular first."""
        if self.world.genres:
            genre, place = divmod(number, self._artists_per_genre)
            own = range(place, self.world.songs, self._artists_per_genre)
            found = [genre * self.world.songs + song for song in own]
        else:
            name = self._artist_names[number]
            found = [n for n, file in enumerate(self._files) if file.artist == name]
        found = [song for song in found if number in self.song(song).artists]
        return sorted(found, key=lambda song: (-self.song(song).popularity, song))

    def genre_artists(self, genre: int) -> list[int]:
        """Artists that a genre's page shows."""
        if self.world.genres:
            return list(range(genre * self._artists_per_genre, (genre + 1) * self._artists_per_genre))
        return list(dict.fromkeys(self.song(number).artists[0] for number in self._songs_of(genre)))

    def _songs_of(self, genre: int) -> list[int]:
        if not self.world.genres:
            name = self.genres[genre].name
            return [number for number, file in enumerate(self._files) if name in file.genres]
        songs, before = self.world.songs, (genre - 1) % self.world.genres
        shared = [before * songs + song for song in range(2, songs, _SHARED)] if before != genre else []
        return [*range(genre * songs, (genre + 1) * songs), *shared]

    def _song(self, number: int) -> WorldSong:
        draw = random.Random(f"{self.seed}:song:{number}")
        duration = draw.randrange(140_000, 330_000)
        popularity, explicit = draw.randrange(101), draw.random() < 0.1
        day = f"{draw.randrange(1965, 2024)}-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}"
        release, precision = {0: (day[:4], "year"), 1: (day[:7], "month"), 2: (None, None)}.get(
            draw.randrange(12), (day, "day")
        )
        added = f"{draw.randrange(2014, 2024)}-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}T12:00:00Z"
        if self.world.genres:
            genre, place = divmod(number, self.world.songs)
            artist = genre * self._artists_per_genre + place % self._artists_per_genre
            title = song_title(self.seed, self.artist_name(artist), place // self._artists_per_genre)
            clips = self._by_base[self.genres[genre].base]
            clip = clips[place % len(clips)]
            # The second song is the first again, on another album: one recording with two ids.
            if place == 1:
                return _again(self.song(number - 1), number, release, precision, added, popularity)
            guest = (
                (genre * self._artists_per_genre + draw.randrange(self._artists_per_genre),) if place % 9 == 3 else ()
            )
            artists = (artist, *(other for other in guest if other != artist))
            album = album_title(self.seed, self.artist_name(artist))
            track = place // self._artists_per_genre + 1
        else:
            file = self._files[number]
            genre = next(genre.number for genre in self.genres if genre.name == file.genres[0])
            artists = (self._artist_numbers[file.artist],)
            title, clip, album, track = file.title, file.path, file.album, file.number + 1
        return WorldSong(
            number=number,
            genre=genre,
            title=title,
            artists=artists,
            album=artists[0] * 4,
            album_title=album,
            track_number=track,
            duration_ms=duration,
            explicit=explicit,
            popularity=popularity,
            isrc=None if number % _NO_ISRC == _NO_ISRC - 1 else isrc(number),
            release_date=release,
            precision=precision,
            added_at=added,
            clip=clip,
            on_deezer=number % _NOT_ON_DEEZER != _NOT_ON_DEEZER - 1,
            other_version=number % _OTHER_VERSION == _OTHER_VERSION - 1,
            has_preview=number % _NO_PREVIEW != _NO_PREVIEW - 1,
        )

    @property
    def _names(self) -> dict[str, int]:
        if not hasattr(self, "_name_index"):
            self._name_index = {self.artist_name(n).casefold(): n for n in range(self.artist_count)}
        return self._name_index


class _MadeUp(Sequence[WorldGenre]):
    """Genres that are made when they are asked for."""

    def __init__(self, world: WorldSection, bases: tuple[str, ...]) -> None:
        self._world, self._bases = world, bases
        self._made = lru_cache(1024)(self._make)

    def __len__(self) -> int:
        return self._world.genres

    def __getitem__(self, number: int) -> WorldGenre:  # type: ignore[override]
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._made(number)

    def _make(self, number: int) -> WorldGenre:
        base = self._bases[number % len(self._bases)]
        name, slug = made_up_genre(number, self._bases)
        return WorldGenre(number, slug, name, base, place_of(self._world.seed, number, len(self), base))


def _again(
    first: WorldSong, number: int, release: str | None, precision: str | None, added: str, popularity: int
) -> WorldSong:
    return replace(
        first,
        number=number,
        album=first.album + 1,
        album_title=f"The Best of {first.album_title}",
        popularity=popularity,
        release_date=release,
        precision=precision,
        added_at=added,
    )


def _slug(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())
