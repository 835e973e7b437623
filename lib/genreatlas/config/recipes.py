"""The section ``[playlist]``: recipes and outputs of playlists."""

import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from genreatlas.config.joined import FeatureSetName
from genreatlas.config.sections import Positive, Section, Share

Kind = Literal["around", "path", "blend", "explore", "predicted"]
Format = Literal["m3u8", "xspf", "csv"]

#: Number of songs of a playlist whose recipe gives no length.
DEFAULT_SONGS = 30
#: Named energy curves: levels at evenly spaced positions from the first song to the last.
CURVES: Mapping[str, tuple[float, ...]] = {
    "rising": (0.0, 1.0),
    "falling": (1.0, 0.0),
    "arch": (0.0, 1.0, 0.0),
    "valley": (1.0, 0.0, 1.0),
}
_REFERENCE = re.compile(r"(genre|song|artist):\s*\S")
#: Minimum and maximum number of seeds by kind.
_SEEDS: Mapping[str, tuple[int, int]] = {
    "around": (1, 1),
    "path": (2, 2),
    "blend": (2, 20),
    "explore": (0, 0),
    "predicted": (1, 20),
}


def _name(value: str) -> str:
    """Check that a name is one non-empty line of text."""
    if not value.strip() or any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in value):
        raise ValueError("a name must be one line of text and not empty")
    return value.strip()


def _references(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not _REFERENCE.match(value):
            raise ValueError(f"{value!r} is not a seed: write genre:NAME, song:ID, song:ARTIST - TITLE or artist:NAME")
    return tuple(dict.fromkeys(value.strip() for value in values))


def _curve(value: Any) -> Any:
    """Replace the name of a curve by its levels."""
    if isinstance(value, str):
        if value and value not in CURVES:
            raise ValueError(
                f"{value!r} is not an energy curve. Give {', '.join(CURVES)}, or a list of levels from 0 to 1"
            )
        return CURVES[value] if value else ()
    if isinstance(value, list | tuple) and len(value) == 1:
        raise ValueError("a curve needs two levels or more, from 0 to 1")
    return value


Name = Annotated[str, Field(max_length=100), AfterValidator(_name)]
References = Annotated[tuple[str, ...], AfterValidator(_references)]


class PlaylistRecipe(Section):
    """One entry of ``[[playlist.recipes]]``: how songs of a playlist are chosen, and its constraints."""

    name: Name = Field(description="Name of the playlist, and of its files.")
    kind: Kind = Field(
        description="Kind of playlist: around (one seed), path (from one seed to another), blend (between seeds), "
        "explore (outward from a library along the tree of genres), predicted (files that a model assigns to the seed "
        "genres)."
    )
    seeds: References = Field(
        (), description="Seeds of the playlist: genre:NAME, song:ID, song:ARTIST - TITLE, or artist:NAME."
    )
    away_from: References = Field(
        (), description="Kind blend: songs nearer to one of these than to the seeds are excluded."
    )
    block: References = Field((), description="Songs, artists and genres to exclude.")
    library: Path | None = Field(
        None,
        description="Kind explore: library to start from: a folder of audio, an M3U or XSPF file, or a table of songs.",
    )
    encoding: str = Field("auto", description="Encoding of the library's file; auto: UTF-8, UTF-16 or Windows-1252.")
    reach: Positive = Field(3, le=10, description="Kind explore: maximum number of steps from genre to genre.")
    min_confidence: Share = Field(0.5, description="Kind predicted: minimum score of the genre.")
    model: str = Field("champion", min_length=1, description="Kind predicted: alias or id of the model.")
    songs: int = Field(
        0, ge=0, le=2000, description=f"Number of songs; 0: as many as fit into minutes, or else {DEFAULT_SONGS}."
    )
    minutes: float = Field(
        0.0, ge=0.0, le=6000.0, description="Maximum length in minutes; 0: the length is given by songs."
    )
    songs_per_artist: Positive = Field(2, description="Maximum songs by one first performer.")
    tempo: tuple[float, float] | None = Field(
        None, description="Slowest and fastest tempo in bpm; songs of unknown tempo are then left out."
    )
    energy: Annotated[tuple[Share, ...], BeforeValidator(_curve)] = Field(
        (),
        description="Energy curve: rising, falling, arch, valley, or evenly spaced levels from 0 (calmest songs) to 1.",
    )
    variety: Share = Field(
        0.1, description="Amount of randomness in the choice of songs; 0: always the best songs, whatever the seed."
    )
    seed: int = Field(7, description="Seed of the choice of songs.")

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "PlaylistRecipe":
        least, most = _SEEDS[self.kind]
        if not least <= len(self.seeds) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise ValueError(f"{self.name}: kind = {self.kind} needs {wanted} seeds, but has {len(self.seeds)}")
        if self.kind == "predicted" and not all(seed.startswith("genre:") for seed in self.seeds):
            raise ValueError(f"{self.name}: kind = predicted needs genres as seeds, such as genre:house")
        if self.energy and self.kind == "path":
            raise ValueError(f"{self.name}: kind = path determines the order itself. Remove energy")
        if self.away_from and self.kind != "blend":
            raise ValueError(f"{self.name}: away_from is for kind = blend; use block to leave songs out")
        if (self.library is not None) != (self.kind == "explore"):
            needed = "needs a library" if self.library is None else "takes no library"
            raise ValueError(f"{self.name}: kind = {self.kind} {needed}")
        if self.songs and self.minutes:
            raise ValueError(f"{self.name}: both songs and minutes are set. Remove one")
        if self.tempo is not None and not 0 < self.tempo[0] <= self.tempo[1]:
            raise ValueError(f"{self.name}: tempo must be the slowest and the fastest, such as [118, 128]")
        return self

    @property
    def length(self) -> int:
        """Requested number of songs; 0 if the length is given in minutes."""
        return 0 if self.minutes else self.songs or DEFAULT_SONGS

    def to_json(self) -> str:
        """The recipe as stored JSON: all keys, sorted."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)


class PlaylistSection(Section):
    """Playlists: recipes and outputs."""

    recipes: tuple[PlaylistRecipe, ...] = Field((), description="Recipes; each is stored and produces one playlist.")
    stored: tuple[str, ...] = Field(
        (), description="Names or ids of stored recipes to run again, in addition to recipes; *: all."
    )
    feature_set: FeatureSetName = Field(
        "summary9", description="Feature set used to compare songs; a list of sets is joined column by column."
    )
    exclude: tuple[str, ...] = Field(
        ("mode", "time_signature"),
        description="Features not used to compare songs. Categorical features, such as the key, are never used.",
    )
    path: Path = Field(Path("data/playlists"), description="Folder for the playlist files.")
    formats: tuple[Format, ...] = Field(("m3u8", "xspf", "csv"), description="Formats of the playlist files.")
    save_clips: bool = Field(
        False,
        description="For songs without an audio file, write their clips beside the playlist, so that it can be played. "
        "The terms of commercial providers forbid this for their previews.",
    )
    publish: bool = Field(
        False,
        description="Create or update the playlists at Spotify, for the user of SPOTIFY_REFRESH_TOKEN. false: the step "
        "prints what it would send, and sends nothing.",
    )
    public: bool = Field(False, description="Whether playlists created at Spotify are public.")

    @model_validator(mode="after")
    def _names_each_playlist_once(self) -> "PlaylistSection":
        names = [recipe.name for recipe in self.recipes]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two recipes have the name {twice[0]!r}. Rename one")
        return self
