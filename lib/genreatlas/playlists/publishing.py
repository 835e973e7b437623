"""Publish generated playlists to Spotify; the table ``published_playlists`` maps them to Spotify's playlists."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import functions as F

from genreatlas.ids import stable_id
from genreatlas.sources.spotify.publishing import Publisher
from genreatlas.store import Store
from genreatlas.tables import PUBLISHED_PLAYLISTS

SERVICE = "spotify"


def publish(
    store: Store,
    publisher: Publisher,
    account: str,
    name: str,
    playlist_id: str,
    spotify_ids: Sequence[str | None],
    description: str,
    public: bool,
) -> str:
    """Create or update the user's Spotify playlist of a name, unless it already has the songs of ``playlist_id``.

    The row of ``published_playlists`` is written as soon as the Spotify playlist exists, so that a killed run does not
    lead to a second playlist. Its ``playlist_id`` is set when all songs were sent.

    Parameters
    ----------
    publisher : client of the Spotify API.
    account : :meth:`Publisher.account`.
    name : name of the playlist.
    playlist_id : id of the generated playlist.
    spotify_ids : Spotify ids of the songs in order; None for songs that are not on Spotify.
    description : description of a new playlist.
    public : whether a new playlist is public.

    Returns
    -------
    Description of what was done.

    Raises
    ------
    ConfigError : the user has not granted the permission.
    FetchError : requests to Spotify failed.
    """
    tracks = [one for one in spotify_ids if one]
    left_out = len(spotify_ids) - len(tracks)
    beside = f", {left_out} songs have no Spotify id" if left_out else ""
    if not tracks:
        return f"{name}: not sent to Spotify, because none of its songs has a Spotify id"
    mine = (F.col("service") == SERVICE) & (F.col("account") == account) & (F.col("name") == name)
    rows = store.read(PUBLISHED_PLAYLISTS).where(mine).collect()
    if rows and rows[0]["playlist_id"] == playlist_id:
        return f"{name}: unchanged at Spotify"

    def note(external_id: str, whole: bool) -> None:
        row = {
            "service": SERVICE,
            "account": account,
            "name": name,
            "external_id": external_id,
            "playlist_id": playlist_id if whole else None,
            "n_songs": len(tracks),
            "n_left_out": left_out,
            "published_at": datetime.now(UTC),
            "run_id": store.run_id,
        }
        store.upsert(PUBLISHED_PLAYLISTS, [row], update=True)

    if rows:
        external_id, did = str(rows[0]["external_id"]), "updated"
    else:
        mark = f"[genreatlas {stable_id('published playlist', name, length=10)}]"
        found = publisher.find(mark)
        external_id = found or publisher.create(name, description, mark, public)
        did = "found again and updated" if found else "created"
    note(external_id, whole=False)
    publisher.fill(external_id, tracks)
    note(external_id, whole=True)
    return f"{name}: {did} at Spotify with {len(tracks)} songs{beside}"
