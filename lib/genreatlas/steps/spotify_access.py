"""What the app may ask, probed once in a while and kept in ``spotify_access``."""

from datetime import UTC, datetime, timedelta

from pyspark.sql import functions as F

from genreatlas.config import SpotifySection
from genreatlas.errors import LimitReachedError, ProviderPausedError
from genreatlas.redaction import shown
from genreatlas.sources.spotify.client import Spotify
from genreatlas.sources.spotify.probe import ABILITIES, Ability, describe, probe
from genreatlas.sources.spotify.tokens import read_credentials
from genreatlas.store import Store
from genreatlas.tables import SPOTIFY_ACCESS

_FIELDS = ("ability", "allowed", "value", "http_status", "detail")


def find_access(store: Store, section: SpotifySection, spotify: Spotify, playlists: list[str]) -> dict[str, Ability]:
    """Abilities by name, and a table of them on the screen; probed again when they are old or one is missing.

    Parameters
    ----------
    playlists : other people's playlists that are to be read.

    Raises
    ------
    LimitReachedError : Spotify wants to be left alone.
    """
    app = read_credentials(section).app_key(section)
    stored = store.read(SPOTIFY_ACCESS).where(F.col("app") == app).collect()
    known = {row["ability"]: Ability(*(row[name] for name in _FIELDS)) for row in stored}
    needed = {"search_page"} | ({"playlist_items"} if playlists else set())
    needed |= {"audio_features"} if section.audio_features else set()
    needed |= {"audio_analysis"} if section.audio_analysis else set()
    fresh = datetime.now(UTC) - timedelta(days=section.probe_days)
    old = any(row["probed_at"].astimezone(UTC) < fresh for row in stored)
    if old or any(name not in known or known[name].allowed is None for name in needed):
        try:
            found = probe(spotify, _spread(playlists), section.audio_analysis)
        except ProviderPausedError as error:
            raise LimitReachedError(f"{error.detail} Nothing was read.") from None
        now = datetime.now(UTC)
        rows = [vars(ability) | {"app": app, "probed_at": now} for ability in found]
        store.upsert(SPOTIFY_ACCESS, rows, update=True, compare=("probed_at",))
        known |= {ability.ability: ability for ability in found}
    print(shown("\n".join(describe(known[name] for name in ABILITIES if name in known))), flush=True)
    return known


def _spread(playlists: list[str]) -> list[str]:
    """Three playlists far apart: neighbours may share what is wrong with them."""
    found = sorted(playlists)
    return list(dict.fromkeys(found[place] for place in (0, len(found) // 2, -1))) if found else []
