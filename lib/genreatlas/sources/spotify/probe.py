"""What an app may still ask: one request for each ability, and what is behind a refusal.

Spotify took abilities away from new apps on 2024-11-27, and from all apps in development mode in February
2026; apps with an extended quota were spared both times. No call says which kind an app is, so each ability is
tried.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from genreatlas.errors import FetchError, ProviderPausedError
from genreatlas.sources.spotify.client import Spotify
from genreatlas.sources.spotify.pages import Form, Page
from genreatlas.sources.spotify.tracks import Track

#: A playlist of Spotify's own ("Today's Top Hits"), and a track that the API's reference has as its example.
OWNED_BY_SPOTIFY = "37i9dQZF1DXcBWIGoYBM5M"
EXAMPLE_TRACK = "11dFghVXANMlKmJXsNCbNl"
#: So many playlists have to be refused before playlists count as closed; one may just be gone.
_PLAYLISTS_TRIED = 3
#: Results a page of a search until February 2026, and in development mode since.
SEARCH_PAGES = (50, 10)

_NEW_APPS = "since 2024-11-27, for apps made since"
_DEVELOPMENT = "since February 2026, for apps in development mode"
#: What each ability is, and which restriction a refusal is likely to come from.
ABILITIES = {
    "playlist_items": ("items of other people's playlists", f"only of one's own {_DEVELOPMENT}"),
    "spotify_playlists": ("playlists that Spotify owns", f"closed {_NEW_APPS}"),
    "audio_features": ("audio features", f"closed {_NEW_APPS}"),
    "audio_analysis": ("audio analyses", f"closed {_NEW_APPS}"),
    "batch_tracks": ("several tracks in one request", f"closed {_DEVELOPMENT}"),
    "search_page": ("results on a page of a search", f"10 instead of 50 {_DEVELOPMENT}"),
    "previews": ("addresses of previews", f"empty {_NEW_APPS}"),
}


@dataclass(frozen=True)
class Ability:
    """One ability: whether the app has it (None: the probe could not tell), and what it gives."""

    ability: str
    allowed: bool | None
    value: str | None = None
    http_status: int | None = None
    detail: str | None = None


def probe(spotify: Spotify, playlists: Sequence[str], analysis: bool = False) -> tuple[Ability, ...]:
    """Try every ability, at one request each (up to three for playlists, two for the size of a search's page).

    Parameters
    ----------
    playlists : playlists of others that are to be read; none: not probed.
    analysis : probe audio analyses too.

    Raises
    ------
    ProviderPausedError : Spotify wants to be left alone.
    ConfigError : Spotify refuses the credentials.
    """
    seen: list[Track] = []
    found = [_playlist_items(spotify, playlists[:_PLAYLISTS_TRIED], seen)] if playlists else []
    found.append(_try("spotify_playlists", lambda: spotify.head(OWNED_BY_SPOTIFY)))
    found.append(_search_page(spotify, seen))
    track = seen[0].spotify_id if seen else EXAMPLE_TRACK
    found.append(_try("audio_features", lambda: spotify.audio_features([track])))
    if analysis:
        found.append(_try("audio_analysis", lambda: spotify.audio_analysis(track)))
    found.append(_try("batch_tracks", lambda: spotify.tracks([track])))
    found.append(_previews(seen))
    return tuple(sorted(found, key=lambda ability: list(ABILITIES).index(ability.ability)))


def describe(abilities: Iterable[Ability]) -> list[str]:
    """A table for people: what, whether, and why not."""
    rows = [("what the app may ask of Spotify", "", "")]
    for ability in abilities:
        what = ABILITIES[ability.ability][0]
        allowed = {True: "yes", False: "no", None: "unknown"}[ability.allowed]
        rows.append((what, ability.value if ability.allowed and ability.value else allowed, ability.detail or ""))
    width, middle = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"{what:{width}}  {allowed:{middle}}  {why}".rstrip() for what, allowed, why in rows]


def _try(name: str, ask: Callable[[], object]) -> Ability:
    try:
        ask()
    except ProviderPausedError:
        raise
    except FetchError as error:
        refused = not error.transient
        why = ABILITIES[name][1] if refused else error.reason.value
        said = f"{error.http_status} " if error.http_status else ""
        return Ability(name, False if refused else None, None, error.http_status, f"{said}{why}")
    return Ability(name, True, None, 200)


def _playlist_items(spotify: Spotify, playlists: Sequence[str], seen: list[Track]) -> Ability:
    ability = Ability("playlist_items", None)
    for playlist_id in playlists:
        forms: list[Form | None] = []

        def ask(playlist_id: str = playlist_id, forms: list[Form | None] = forms) -> None:
            playlist = spotify.playlist(playlist_id)
            forms.append(playlist.form)
            seen.extend(_tracks(playlist.page))

        ability = _try("playlist_items", ask)
        if forms and forms[0] is None:
            ability = Ability("playlist_items", False, None, 200, f"head only: {ABILITIES['playlist_items'][1]}")
        elif forms:
            return Ability("playlist_items", True, forms[0], 200)
    return ability


def _search_page(spotify: Spotify, seen: list[Track]) -> Ability:
    ability = Ability("search_page", None)

    def ask(size: int) -> None:
        seen.extend(_tracks(spotify.search_tracks("love", size)))

    for size in SEARCH_PAGES:
        ability = _try("search_page", partial(ask, size))
        if ability.allowed:
            why = ABILITIES["search_page"][1] if size != SEARCH_PAGES[0] else None
            return Ability("search_page", True, str(size), 200, why)
        if ability.allowed is None:
            break
    return ability


def _previews(seen: Sequence[Track]) -> Ability:
    if not seen:
        return Ability("previews", None, detail="no track was seen")
    given = sum(track.preview_url is not None for track in seen)
    why = None if given else f"{given} of {len(seen)} tracks have one: {ABILITIES['previews'][1]}"
    return Ability("previews", given > 0, f"{given} of {len(seen)}", 200, why)


def _tracks(page: Page | None) -> list[Track]:
    return [listed.track for listed in page.tracks] if page else []
