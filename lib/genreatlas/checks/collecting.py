"""Checks of the steps that collect and import songs and clips.

Each public function is the check of the step of its name; its docstring lists what is checked.
"""

import re
from pathlib import Path

from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.checks.problems import (
    Problem,
    encoding,
    is_address,
    missing,
    not_installed,
    not_writable,
    raised,
    sandbox_lacks,
)
from genreatlas.config import Config, SpotifySection
from genreatlas.errors import nearest
from genreatlas.sources.genres import GenreNames
from genreatlas.sources.previews.provider import terms
from genreatlas.tables import SPOTIFY_AUDIO_SET

#: Names of feature sets that an import must not use.
RESERVED_SETS = frozenset({*FEATURE_SETS, "technical", "loudness", SPOTIFY_AUDIO_SET})
#: Genres of :mod:`genreatlas.sandbox.composed_genres` and ``groove_pairs``; importing these takes a second.
COMPOSED = ("house", "techno", "hip hop", "swing", "waltz", "folk", "rock", "ambient", "in turns", "in runs")
#: Accepted names of parts in lists of songs; :mod:`genreatlas.sources.feature_tables.parts` maps them to parts.
PARTS = ("train", "training", "promotion", "valid", "validation", "val", "dev", "test", "testing", "eval")


def compose_library(config: Config) -> list[Problem]:
    """Genres are known, the folder is writable, packages for MP3 are installed."""
    found = [
        Problem(f"sandbox.genres: {name!r} cannot be composed. {nearest(name, COMPOSED)}")
        for name in dict.fromkeys(config.sandbox.genres)
        if name not in COMPOSED
    ]
    return found + composer_lacks() + not_writable("sandbox.path", config.sandbox.path)


def composer_lacks() -> list[Problem]:
    """Problem if a package to encode or tag MP3 is not installed."""
    return sandbox_lacks("compose_library", "lameenc", "mutagen")


def scrape_genres(config: Config) -> list[Problem]:
    """Saved pages exist."""
    section = config.every_noise
    found = []
    for key, place in (("every_noise.map", section.map), ("every_noise.list", section.list)):
        if place and not is_address(place):
            found += missing(key, Path(place), "file")
    if section.genre_pages and not is_address(section.pages):
        found += missing("every_noise.pages", Path(section.pages), "folder")
    if section.genres and not section.genre_pages:
        text = "every_noise.genres has no effect while every_noise.genre_pages is false. Set it to true."
        found.append(Problem(text, warning=True))
    return found


def collect_songs(config: Config) -> list[Problem]:
    """Terms are acknowledged, credentials are given, lists of playlists and searches are valid."""
    from genreatlas.sources.spotify import routes, tokens  # spotipy takes half a second

    section = config.spotify
    found = [Problem(reason)] if (reason := spotify_terms(section)) is not None else []
    if not config.world.start:  # the sandbox accepts any credentials
        found += raised(tokens.read_credentials, section)
    found += raised(routes.configured_lists, config.playlists)
    found += raised(routes.configured_searches, section.searches)
    if not section.routes:
        found.append(Problem("spotify.routes is empty: no source of songs is configured. Name a route."))
    empty = {"configuration": not config.playlists, "search": not section.searches, "everynoise": not section.roles}
    if section.routes and all(empty.get(route, False) for route in section.routes):
        found.append(
            Problem(
                f"spotify.routes = {', '.join(section.routes)}: these routes have nothing to read. Add "
                "[[playlists]] or [[spotify.searches]], or the routes everynoise and artists."
            )
        )
    return found


def spotify_terms(section: SpotifySection) -> str | None:
    """Error message with Spotify's terms; None if they are acknowledged."""
    if section.acknowledge_terms:
        return None
    return (
        "[spotify] acknowledge_terms is false. Spotify's developer terms (https://developer.spotify.com/terms) "
        "forbid training machine-learning models on its content, and keeping it longer than needed. Read them, and "
        "set it to true if your use is allowed, by an agreement with Spotify or by the law of your country."
    )


def import_analyses(config: Config) -> list[Problem]:
    """The saved analyses exist."""
    path = config.spotify.analysis_path
    if path is None:
        return [Problem("spotify.analysis_path is not set. Give a file or a folder of saved analyses.")]
    return missing("spotify.analysis_path", path)


def import_folder(config: Config) -> list[Problem]:
    """Folder and manifest exist, and genre aliases and parents are valid."""
    section = config.folder
    found = missing("folder.path", section.path, "folder")
    if section.labels == "tags":
        found += not_installed("mutagen", "folder.labels = 'tags'", "'genreatlas[tags]'")
    if section.labels in ("manifest", "fma", "jamendo"):
        what = "file" if section.labels == "manifest" else "folder"
        if section.manifest is None:
            told = "the CSV or Parquet file of labels" if what == "file" else "the metadata folder"
            found.append(Problem(f"folder.labels = {section.labels!r} needs folder.manifest. Set it to {told}."))
        else:
            found += missing("folder.manifest", section.manifest, "file or folder")
    found += encoding("folder.encoding", section.encoding)
    return found + _genre_names("folder", config.folder.genre_aliases, config.folder.genre_parents)


def import_features(config: Config) -> list[Problem]:
    """Table and lists exist, and required keys are set."""
    section = config.import_features
    unset = [key for key in ("path", "name", "id", "labels") if not getattr(section, key)]
    found = [Problem(f"import_features.{key} is not set. The step needs path, name, id and labels.") for key in unset]
    if section.path is not None:
        found += missing("import_features.path", section.path)
    if section.name in RESERVED_SETS:
        found.append(
            Problem(f"import_features.name = {section.name!r} is a built-in feature set. Choose another name.")
        )
    if section.split and section.split_lists:
        found.append(Problem("import_features: both split and split_lists are set. Remove one."))
    for part, path in section.split_lists.items():
        if part.lower() not in PARTS:
            found.append(Problem(f"import_features.split_lists: {part!r} is not a part. Known: {', '.join(PARTS)}."))
        found += missing(f"import_features.split_lists.{part}", path, "file")
    if section.song_pattern:
        try:
            groups = re.compile(section.song_pattern).groups
        except re.error as error:
            found.append(Problem(f"import_features.song_pattern is not a regular expression: {error}."))
        else:
            if not groups:
                found.append(Problem("import_features.song_pattern has no group. Put brackets around the song's id."))
    found += encoding("import_features.encoding", section.encoding)
    return found + _genre_names("import_features", section.genre_aliases, section.genre_parents)


def fetch_previews(config: Config) -> list[Problem]:
    """Terms of all providers are acknowledged, and the list of addresses exists."""
    providers = tuple(dict.fromkeys(config.fetch_previews.providers))
    found = [Problem(reason) for name in providers if (reason := terms(name, config)) is not None]
    if not providers:
        found.append(Problem("fetch_previews.providers is empty: there is no source of clips. Name a provider."))
    if "http" in providers and config.http.manifest is not None:
        found += missing("http.manifest", config.http.manifest)
        found += encoding("http.encoding", config.http.encoding)
        found += _genre_names("http", config.http.genre_aliases, {})
    return found


def _genre_names(section: str, aliases: dict[str, str], parents: dict[str, str]) -> list[Problem]:
    def read() -> None:
        names = GenreNames(aliases, parents)
        for spelling in aliases:
            names.read(spelling)

    found = raised(read)
    return [Problem(f"{section}: {problem.text}") for problem in found]
