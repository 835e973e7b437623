"""Contents of the world: genres, songs, artists and playlists, computed on request.

Either the composed library itself, or any number of generated genres. Each generated genre is derived from one of the
composer's genres, whose clips its songs use, and has its own position on the map. Ids look like Spotify's and encode
the object's number, so that no lookup is needed.
"""

import colorsys
import hashlib
import random
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import Literal

from genreatlas.config import SandboxSection, WorldSection
from genreatlas.sandbox.library_plan import chosen_genres, plan_library
from genreatlas.sandbox.made_up_names import album_title, artist_name, song_title

ROLES = ("sound", "intro", "pulse", "edge", "year", "own")
Role = Literal["sound", "intro", "pulse", "edge", "year", "own"]
EntryKind = Literal["song", "null", "local", "episode"]
SONGS_PER_ARTIST = 5

#: One of this many songs of a genre is also in the next genre's playlists.
_SHARED = 50

#: One of this many songs has no ISRC, is not on Deezer, is another version there, or has no preview.
_NO_ISRC, _NOT_ON_DEEZER, _OTHER_VERSION, _NO_PREVIEW = 41, 37, 53, 4

_MANNERS = (
    "", "deep", "dark", "modern", "classic", "alternative", "progressive", "minimal", "gothic", "lo-fi", "acoustic",
    "experimental", "vintage", "christian", "underground", "cosmic", "melodic", "slow", "instrumental", "neo",
    "jungle", "garage", "chamber", "street", "swamp", "post", "bedroom", "orchestral", "children's", "queer",
)  # fmt: skip
_PLACES = (
    "", "icelandic", "brazilian", "polish", "detroit", "korean", "nigerian", "peruvian", "finnish", "georgian",
    "turkish", "memphis", "quebecois", "basque", "ukrainian", "malaysian", "andalusian", "cape verdean", "berlin",
    "kyoto", "tuvan", "chilean", "welsh", "greek", "lebanese", "kenyan",
)  # fmt: skip

#: Names that are difficult for slug rules, regular expressions and encodings: (name, slug of its page).
_ODD = (
    ("r&b en espanol", "rbenespanol"),
    ("트로트", "teuroteu"),
    ("música pitiusa", "msicapitiusa"),
    ("hardcore '90s", "hardcore90s"),
    ("8-bit", "8bit"),
    ("rock & roll", "rockroll"),
)
_MEANS = ("danceability", "energy", "speechiness", "acousticness", "instrumentalness", "liveness", "valence")
_DIGITS = string.digits + string.ascii_lowercase + string.ascii_uppercase
_VALUE = {digit: value for value, digit in enumerate(_DIGITS)}
_BASE36 = string.digits + string.ascii_uppercase
_LENGTH = 22


@dataclass(frozen=True)
class Place:
    """Position of a genre on the map: pixels from the left (dense to spiky) and the top (electric to organic)."""

    x: int
    y: int
    colour: str
    weight: int


@dataclass(frozen=True)
class WorldGenre:
    """A genre of the world. ``base`` is the composer's genre of its clips."""

    number: int
    slug: str
    name: str
    base: str
    place: Place


@dataclass(frozen=True)
class WorldSong:
    """A song with the facts returned by all services."""

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
    clip: str  #: path of its clip, relative to the library
    on_deezer: bool
    other_version: bool
    has_preview: bool


@dataclass(frozen=True)
class Entry:
    """One entry of a playlist. ``number`` is the song's number if ``kind`` is ``song``."""

    kind: EntryKind
    number: int


class Catalogue:
    """The world's contents.

    Parameters
    ----------
    world : size and seed of the world.
    library : the composed library with the clips.
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
        """Entries of a genre's playlist in a role, in order. Roles other than ``sound`` and ``own`` have subsets."""
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
        """Number of the artist with a name, ignoring case; None if there is none."""
        return self._names.get(name.casefold())

    def artist_genre(self, number: int) -> int:
        """Number of an artist's genre."""
        if self.world.genres:
            return number // self._artists_per_genre
        return self.song(self.artist_songs(number)[0]).genre

    def artist_songs(self, number: int) -> list[int]:
        """Numbers of an artist's songs, the most popular first."""
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
        """Numbers of the artists on a genre's page."""
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
            # The second song is the first on another album: one recording with two ids.
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
    """Generated genres, computed on request."""

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


def made_up_genre(number: int, bases: Sequence[str]) -> tuple[str, str]:
    """Name and slug of a generated genre, both unique."""
    if 8 <= number < 8 + len(_ODD):
        return _ODD[number - 8]
    turn, base = divmod(number, len(bases))
    turn, manner = divmod(turn, len(_MANNERS))
    turn, place = divmod(turn, len(_PLACES))
    words = (_PLACES[place], _MANNERS[manner], bases[base], str(turn + 1) if turn else "")
    name = " ".join(word for word in words if word)
    return name, "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())


def place_of(seed: int, number: int, count: int, base: str) -> Place:
    """Position of a genre on the map, near the position of its base genre."""
    home, own = random.Random(f"{seed}:place:{base}"), random.Random(f"{seed}:place:{number}")
    height = max(1500, count * 4)
    x = 60 + 1200 * home.random() + own.gauss(0, 90)
    y = height * (0.1 + 0.8 * home.random()) + own.gauss(0, height / 25)
    red, green, blue = colorsys.hls_to_rgb(home.random(), 0.4, 0.6)
    colour = "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))
    return Place(
        max(0, min(1500, round(x))), max(0, min(height, round(y))), colour, 100 + 60 * (count - number) // count
    )


def sound_of(seed: int, base: str, song: int) -> dict[str, float | int]:
    """Random audio features of a song, distributed around those of its base genre.

    Not computed from audio. The spread is so large that genres overlap, as in Spotify's audio features.
    """
    home, own = random.Random(f"{seed}:sound:{base}"), random.Random(f"{seed}:sound:{song}")
    values: dict[str, float | int] = {
        name: round(min(0.999, max(0.0, home.uniform(0.1, 0.9) + own.gauss(0, 0.35))), 4) for name in _MEANS
    }
    values["loudness"] = round(min(-0.5, home.uniform(-16, -5) + own.gauss(0, 5)), 3)
    values["tempo"] = round(max(40.0, home.uniform(80, 160) + own.gauss(0, 30)), 3)
    values["key"], values["mode"] = own.randrange(12), int(own.random() < home.uniform(0.3, 0.8))
    values["time_signature"] = 3 if home.random() < 0.15 else 4
    return values


class Kind(IntEnum):
    """Kind of object that an id refers to."""

    TRACK = 1
    ARTIST = 2
    ALBUM = 3
    PLAYLIST = 4
    EPISODE = 5
    SHOW = 6


class Ids:
    """Ids of one world. Ids of a world with another seed are invalid."""

    def __init__(self, seed: int) -> None:
        self._key = str(seed).encode()
        self.encode = lru_cache(1 << 16)(self._encode)

    def _encode(self, kind: Kind, number: int) -> str:
        """Id of the object with this number: 22 digits in base 62."""
        payload = kind << 56 | number
        mark = self._mark(payload)
        value = mark << 64 | (payload ^ mark)
        digits = []
        for _ in range(_LENGTH):
            value, digit = divmod(value, 62)
            digits.append(_DIGITS[digit])
        return "".join(reversed(digits))

    def decode(self, kind: Kind, text: str) -> int | None:
        """Number encoded in an id; None for other text, and for ids of other kinds and worlds."""
        if len(text) != _LENGTH or not set(text) <= set(_DIGITS):
            return None
        value = 0
        for digit in text:
            value = value * 62 + _VALUE[digit]
        mark, low = value >> 64, value & (1 << 64) - 1
        payload = low ^ mark
        if payload >> 64 or self._mark(payload) != mark or payload >> 56 != kind:
            return None
        return payload & (1 << 56) - 1

    def _mark(self, payload: int) -> int:
        digest = hashlib.blake2b(payload.to_bytes(8, "big"), key=self._key[:64], digest_size=8).digest()
        return int.from_bytes(digest, "big")


def isrc(number: int) -> str:
    """ISRC of a recording (ISO 3901): country, registrant, year, and number."""
    registrant, serial = divmod(number, 100_000)
    letters = ""
    for _ in range(3):
        registrant, digit = divmod(registrant, 36)
        letters = _BASE36[digit] + letters
    return f"QZ{letters}{_year(number):02d}{serial:05d}"


def isrc_number(text: str) -> int | None:
    """Number of the recording with an ISRC; None for other codes."""
    text = text.upper()
    if len(text) != 12 or not text.startswith("QZ") or not text[5:].isdecimal() or not text[2:5].isalnum():
        return None
    registrant = int(text[2:5], 36)
    number = registrant * 100_000 + int(text[7:])
    return number if isrc(number) == text else None


def _year(number: int) -> int:
    return number * 7 % 26
