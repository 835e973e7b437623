"""Collect songs of genres from the Spotify Web API: from playlists, or by searching for artists.

Playlists come from the pages of Every Noise, from [[playlists]] and from [[spotify.searches]]. For genres without a
playlist, songs are found by searching for the artists on their Every Noise pages. The step first tests which endpoints
the app has access to. An unchanged playlist costs one request. Audio features are stored as the feature set
spotify_audio if the app has access to them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.checks.collecting import spotify_terms
from genreatlas.collecting import spotify_plan
from genreatlas.collecting.spotify_merging import (
    ListMerge,
    describe_set,
    merge_analyses,
    merge_features,
    merge_searches,
    pending_analyses,
    pending_features,
)
from genreatlas.collecting.spotify_plan import Routes, find_access, find_routes, found_lists
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.errors import ConfigError, LimitReachedError
from genreatlas.fanout import fan_out
from genreatlas.sources.spotify.client import Ability
from genreatlas.sources.spotify.lists import SpotifyFetch, open_spotify
from genreatlas.sources.spotify.routes import NamedList, Search
from genreatlas.store import Staged, Store
from genreatlas.tables import FETCH_ATTEMPTS, GENRE_PARENTS
from genreatlas.values import RowView

STEP = "collect_songs"
READS = ("genres", "everynoise_playlists", "everynoise_artists", "playlists", "songs", "fetch_attempts")
WRITES = (
    "songs", "artists", "song_artists", "song_genres", "genre_parents", "clips", "playlists", "spotify_searches",
    "features_spotify_audio", "feature_sets", "spotify_audio_analysis", "spotify_access", "fetch_attempts",
    "quarantine",
)  # fmt: skip
SECTIONS = ("spotify", "sync", "fan_out")
check = checks.collect_songs


def run(store: Store, config: Config) -> Counts:
    """Bring songs, genres and playlists up to date with Spotify.

    Raises
    ------
    ConfigError : the terms are not acknowledged, credentials are missing or refused, or an entry is invalid.
    LimitReachedError : Spotify's rate limit pauses requests, or lists lost more than ``sync.max_share`` of their songs.
        Everything read so far is stored, and a later run continues from there.
    """
    section = config.spotify
    if (reason := spotify_terms(section)) is not None:
        raise ConfigError(reason)
    spotify = open_spotify(section, config.fan_out)
    routes = find_routes(store, config)
    fetch = SpotifyFetch(section, spotify)
    others = sorted({named.playlist_id for named in routes.others})
    access = find_access(store, section, spotify, others)
    page_size = int(access["search_page"].value or 10) if access["search_page"].allowed else 10
    work = _Work(store, config, fetch)
    if routes.searches:
        _write_parents(store, routes.searches)
        work.ask_once(
            "searches", "search", spotify_plan.searches(store, routes, page_size), partial(merge_searches, store)
        )
    lists, left_out = _readable(routes, found_lists(store, routes), access)
    merge = ListMerge(store, config.sync)
    task = "playlists" if _may(access, "playlist_items") else "own_playlists"
    requests = spotify_plan.playlists(store, section, lists)
    left = work.ask_once(task, "playlist", requests, merge)
    if "artists" in section.routes and not work.waits:
        # A genre whose playlist will be fetched by a later run is not searched for by artist now.
        waiting = {genre["genre_id"] for key in left for genre in requests[key]["genres"]}
        genres = {key: genre for key, genre in routes.genres.items() if key not in waiting}
        work.ask_once("artists", "artist", spotify_plan.artists(store, section, genres, page_size), merge)
    if section.audio_features and _may(access, "audio_features"):
        heard = work.ask("features", lambda: pending_features(store), partial(merge_features, store))
        if heard:
            describe_set(store)
    if section.audio_analysis and _may(access, "audio_analysis"):
        work.ask("analyses", lambda: pending_analyses(store), partial(merge_analyses, store))
    did = f"{merge.songs} songs are new or changed; {merge.unchanged} playlists are unchanged"
    gone = f"retired: {merge.retired} songs that are no longer on their lists (see [sync])" if merge.retired else ""
    return work.ended(merge.unchanged, [note for note in (left_out, gone, did) if note])


@dataclass
class _Work:
    """Fan-outs of one run and their counts; ``waits`` is the reason why one was stopped, or empty."""

    store: Store
    config: Config
    fetch: SpotifyFetch
    counts: Counts = field(default_factory=Counts)
    waits: str = ""

    def ask(self, task: str, pending: Callable[[], DataFrame], merge: Callable[[Staged], None]) -> int:
        """Fetch and merge the pending keys of one task; return the number of fetched keys."""
        done = fan_out(self.store, self.config.fan_out, f"{STEP}.{task}", pending, self.fetch, merge)
        failed = sum(done.given_up.values()) + sum(done.again.values())
        self.counts += Counts(done.fetched + failed, done.fetched, failed, done.left, done.notes)
        self.waits = self.waits or done.stopped()
        return done.fetched

    def ask_once(self, task: str, kind: str, requests: RowView, merge: Callable[[Staged], None]) -> set[str]:
        """Fetch a fixed set of requests; return the keys of those that a later run will fetch."""
        name = f"{STEP}.{task}"
        answered: set[str] = set()

        def merged(staged: Staged) -> None:
            merge(staged)
            answered.update(row["key"] for row in staged.rows("key", "provider") if row["provider"] is not None)

        if requests or self.store.staged(name):
            self.ask(task, lambda: spotify_plan.pending(self.store, kind, requests, answered), merged)
        left = requests.keys() - answered
        if left:
            final = self.store.read(FETCH_ATTEMPTS).where((F.col("task") == name) & (F.col("status") == "final"))
            left -= {row["key"] for row in final.select("key").collect()}
        return left

    def ended(self, unchanged: int, notes: Sequence[str]) -> Counts:
        """Counts of the run. Unchanged lists count as skipped.

        Raises
        ------
        LimitReachedError : a fan-out was stopped.
        """
        if self.waits:
            raise LimitReachedError(self.waits)
        return self.counts + Counts(-unchanged, -unchanged, 0, unchanged, tuple(notes))


def _readable(routes: Routes, found: Sequence[NamedList], access: Mapping[str, Ability]) -> tuple[list[NamedList], str]:
    """Lists that the app can read, and a note on those left out.

    Playlists of other users are left out if the app can read only the playlists of its own user.
    """
    others = [*routes.others, *found]
    if not others or _may(access, "playlist_items"):
        return [*others, *routes.configured], ""
    n_others = len({named.playlist_id for named in others})
    note = f"{n_others} playlists of other users are left out: the app cannot read them"
    return list(routes.configured), note


def _may(access: Mapping[str, Ability], name: str) -> bool:
    """Whether the app has access to an endpoint; True, too, if the probe was inconclusive."""
    return name not in access or access[name].allowed is not False


def _write_parents(store: Store, searches: Sequence[Search]) -> None:
    parents = {search.parent.genre_id: search.parent for search in searches if search.parent}
    store.upsert(GENRE_PARENTS, [vars(parent) | {"source": "search"} for parent in parents.values()])
