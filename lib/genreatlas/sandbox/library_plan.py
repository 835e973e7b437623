"""Plan of a composed library: name, genres and credits of every file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from genreatlas.config.sections import SandboxSection
from genreatlas.errors import ConfigError
from genreatlas.sandbox.artists import make_artist, make_borrower
from genreatlas.sandbox.composed_genres import GENRES
from genreatlas.sandbox.groove_pairs import PAIRED
from genreatlas.sandbox.made_up_names import album_title, song_title
from genreatlas.sandbox.style import Artist

LICENCE = "CC0-1.0"

Fault = Literal["text", "cut", "empty", "short", "silence", "nan"]

_FAULTS: tuple[tuple[Fault, str, str], ...] = (
    ("text", "Liner Notes", "mp3"),
    ("cut", "Torn Tape", "mp3"),
    ("empty", "Blank Disc", "mp3"),
    ("short", "One Knock", "mp3"),
    ("silence", "Nobody Came", "mp3"),
    ("nan", "Out of Numbers", "wav"),
)


@dataclass(frozen=True)
class PlannedFile:
    """One file of the library.

    ``path`` is relative to the library's folder. ``number`` is the number of the song within the artist. A song under
    two genres is in the folder of the first. ``fault`` is set for unusable files.
    """

    path: str
    genres: tuple[str, ...]
    song: str
    artist: str
    title: str
    album: str
    artist_number: int = 0
    number: int = 0
    fault: Fault | None = None


def chosen_genres(section: SandboxSection) -> tuple[str, ...]:
    """Return the genres to compose.

    Raises
    ------
    ConfigError
        When a name is not one of the composer's genres.
    """
    known = {**GENRES, **PAIRED}
    unknown = [name for name in section.genres if name not in known]
    if unknown:
        raise ConfigError(f"sandbox.genres: {unknown[0]!r} cannot be composed. Choose from: {', '.join(known)}.")
    return tuple(dict.fromkeys(section.genres)) or tuple(GENRES)


def plan_library(section: SandboxSection) -> list[PlannedFile]:
    """Return every file of the library, in a fixed order.

    Each genre has ``artists_per_genre`` artists with ``songs_per_artist`` songs each. If there are two or more genres,
    each genre's first artist has an additional song that also belongs to the next genre, except for genres that borrow
    their sound, whose songs belong only to the genre of their rhythm. Unusable files are last.

    Raises
    ------
    ConfigError
        When a genre is unknown.
    """
    genres = chosen_genres(section)
    files: list[PlannedFile] = []
    for place, name in enumerate(genres):
        for number in range(section.artists_per_genre):
            artist = plan_artist(section, name, number)
            files += [_song(section, artist, (name,), song) for song in range(section.songs_per_artist)]
            following = genres[(place + 1) % len(genres)]
            if number == 0 and len(genres) > 1 and not any(borrows(section, one) for one in (name, following)):
                files.append(_song(section, artist, (name, following), section.songs_per_artist))
    if section.broken_files:
        files += _broken(section, genres)
    return files


def borrows(section: SandboxSection, genre: str) -> bool:
    """Whether artists of the genre use the sound of other genres."""
    return section.sounds == "exchanged" or genre in PAIRED


def plan_artist(section: SandboxSection, genre: str, number: int) -> Artist:
    """Return the artist of a genre with this number."""
    known = {**GENRES, **PAIRED}
    return (make_borrower if borrows(section, genre) else make_artist)(section.seed, known[genre], number)


def _song(section: SandboxSection, artist: Artist, genres: tuple[str, ...], number: int) -> PlannedFile:
    title = song_title(section.seed, artist.name, number)
    return PlannedFile(
        path=f"{genres[0]}/{artist.name} - {title}.mp3",
        genres=genres,
        song=f"{genres[0].replace(' ', '-')}-{artist.number + 1:02d}-{number + 1:02d}",
        artist=artist.name,
        title=title,
        album=album_title(section.seed, artist.name),
        artist_number=artist.number,
        number=number,
    )


def _broken(section: SandboxSection, genres: tuple[str, ...]) -> Iterator[PlannedFile]:
    for place, (fault, title, suffix) in enumerate(_FAULTS):
        genre = genres[place % len(genres)]
        yield PlannedFile(
            path=f"{genre}/Damaged Reel - {title}.{suffix}",
            genres=(genre,),
            song=f"broken-{fault}",
            artist="Damaged Reel",
            title=title,
            album="Found in the Attic",
            fault=fault,
        )
