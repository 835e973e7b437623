"""Checks of the step ``make_playlist``."""

from pathlib import Path

from genreatlas.checks.collecting import spotify_terms
from genreatlas.checks.problems import Problem, missing, not_compared, not_writable, raised
from genreatlas.config import Config


def make_playlist(config: Config) -> list[Problem]:
    """Recipes are given, the feature set can be compared, libraries exist, requirements of publishing are met."""
    section = config.playlist
    found = []
    if not section.recipes and not section.stored:
        text = "playlist.recipes is empty: there is nothing to make. Add [[playlist.recipes]], or name stored ones"
        found.append(Problem(f"{text} in playlist.stored (* is all)."))
    found += not_compared("playlist.feature_set", section.feature_set, "songs")
    for recipe in section.recipes:
        if recipe.library is not None:
            found += missing(f"playlist.recipes ({recipe.name}): library", Path(recipe.library))
    if not section.formats and not section.publish:
        found.append(Problem("playlist.formats is empty: playlists are stored in tables only.", warning=True))
    if section.publish:
        found += _publishing(config)
    return found + not_writable("playlist.path", section.path)


def _publishing(config: Config) -> list[Problem]:
    from genreatlas.sources.spotify.publishing import read_publishing_credentials  # spotipy takes half a second

    found = [Problem(reason)] if (reason := spotify_terms(config.spotify)) is not None else []
    if not config.world.start:  # the sandbox accepts any credentials
        found += raised(read_publishing_credentials, config.spotify)
    return found
