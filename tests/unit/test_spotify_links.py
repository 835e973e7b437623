"""Links to playlists, tracks and artists, in every form in which they were ever handed out."""

import pytest

from genreatlas.errors import InputError
from genreatlas.sources.spotify.links import SpotifyLink, parse_link, require_link

ID = "1yckyfEZtFkkq7UPXHbLwi"
OTHER = "5jU8k9UsaPPgWyxFjB2f1L"

PLAYLISTS = (
    f"spotify:playlist:{ID}",
    f"  spotify:playlist:{ID}\n",
    f"<spotify:playlist:{ID}>",
    f"SPOTIFY:playlist:{ID}",
    f"spotify%3Aplaylist%3A{ID}",
    f"spotify://playlist/{ID}",
    f"spotify:/playlist/{ID}",
    f"spotify:playlist:{ID}?si=0a1b",
    f"spotify:station:playlist:{ID}",
    f"https://open.spotify.com/playlist/{ID}",
    f"http://open.spotify.com/playlist/{ID}/",
    f"open.spotify.com/playlist/{ID}",
    f"//open.spotify.com/playlist/{ID}",
    f"HTTPS://Open.Spotify.com/playlist/{ID}",
    f"https://open.spotify.com:443/playlist/{ID}",
    f"https://open.spotify.com/playlist/{ID}?si=7f0e&amp;nd=1",
    f"https://open.spotify.com/playlist/{ID}?si=7f0e&pt=1#login",
    f"https://open.spotify.com/intl-pt-BR/playlist/{ID}?si=7f0e",
    f"https://play.spotify.com/playlist/{ID}",
    f"https://embed.spotify.com/?uri=spotify:playlist:{ID}",
    f"https://embed.spotify.com/?uri=spotify%3Aplaylist%3A{ID}&amp;theme=white",
    f"https://embed.spotify.com/?theme=white&uri=spotify%253Aplaylist%253A{ID}",
    f"https://embed.spotify.com/?uri=https://open.spotify.com/playlist/{ID}",
    f"https://open.spotify.com/embed?uri=spotify:playlist:{ID}",
    f"https://open.spotify.com/embed/playlist/{ID}?utm_source=generator",
    f"https://open.spotify.com/embed/index.html?uri=spotify:playlist:{ID}",
    f"https://open.spotify.com/go?uri=spotify:playlist:{ID}&product=open",
    f"https://open.spotify.com/oembed?url=https%3A%2F%2Fopen.spotify.com%2Fplaylist%2F{ID}",
    f"https://open.spotify.com/playlist/spotify:playlist:{ID}",
    f"https://spotify.app.link/?$canonical_url=https%3A%2F%2Fopen.spotify.com%2Fplaylist%2F{ID}",
    f"https://api.spotify.com/v1/playlists/{ID}",
    f"https://api.spotify.com/v1/playlists/{ID}/tracks?offset=100&limit=100",
    f"https://api.spotify.com/v1/playlists/{ID}/items?offset=100&limit=100",
    f"android-app://com.spotify.music/spotify/playlist/{ID}",
)

OWNED = (
    f"spotify:user:thesoundsofspotify:playlist:{ID}",
    f"https://open.spotify.com/user/thesoundsofspotify/playlist/{ID}",
    f"http://play.spotify.com/user/thesoundsofspotify/playlist/{ID}?play=true",
    f"https://embed.spotify.com/?uri=spotify:user:thesoundsofspotify:playlist:{ID}",
    f"https://embed.spotify.com/?uri=spotify%3Auser%3Athesoundsofspotify%3Aplaylist%3A{ID}",
    f"https://open.spotify.com/embed/user/thesoundsofspotify/playlist/{ID}",
    f"https://api.spotify.com/v1/users/thesoundsofspotify/playlists/{ID}/tracks",
)


@pytest.mark.parametrize("text", PLAYLISTS)
def test_a_playlist_is_found_in_every_form_of_its_link(text: str) -> None:
    assert parse_link(text) == SpotifyLink("playlist", ID)
    assert require_link(text, "playlist") == ID


@pytest.mark.parametrize("text", OWNED)
def test_links_of_before_2018_name_the_owner_too(text: str) -> None:
    assert parse_link(text) == SpotifyLink("playlist", ID, "thesoundsofspotify")


def test_a_user_may_be_called_like_a_kind_or_in_any_script() -> None:
    assert parse_link(f"spotify:user:playlist:playlist:{ID}") == SpotifyLink("playlist", ID, "playlist")
    assert parse_link(f"https://open.spotify.com/user/m%C3%BCller/playlist/{ID}") == SpotifyLink(
        "playlist", ID, "müller"
    )


@pytest.mark.parametrize("kind", ["track", "artist", "album", "episode", "show"])
def test_other_kinds_are_told_apart(kind: str) -> None:
    for text in (
        f"spotify:{kind}:{ID}",
        f"https://open.spotify.com/intl-de/{kind}/{ID}?si=1",
        f"https://open.spotify.com/{kind}/{ID}#1:30",
        f"https://api.spotify.com/v1/{kind}s/{ID}?market=ES",
    ):
        link = parse_link(text)
        assert link == SpotifyLink(kind, ID)  # type: ignore[arg-type]
        assert link is not None and parse_link(link.uri) == link and parse_link(link.url) == link


def test_a_track_shared_from_a_playlist_is_the_track() -> None:
    assert parse_link(f"https://open.spotify.com/track/{ID}?si=1&context=spotify%3Aplaylist%3A{OTHER}") == SpotifyLink(
        "track", ID
    )


def test_an_album_that_highlights_a_track_is_the_track() -> None:
    assert parse_link(f"https://open.spotify.com/album/{OTHER}?highlight=spotify:track:{ID}") == SpotifyLink(
        "track", ID
    )
    assert parse_link(f"https://open.spotify.com/album/{OTHER}?highlight=") == SpotifyLink("album", OTHER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        "   ",
        ID,
        "spotify:",
        "spotify:playlist:",
        "spotify:playlist:tooshort",
        f"spotify:playlist:{ID}x",
        "spotify:user:118430647:starred",
        "spotify:local:Artist:Album:Title:215",
        "spotify:user:somebody:collection",
        "https://open.spotify.com/",
        "https://open.spotify.com/user/thesoundsofspotify",
        f"https://example.org/playlist/{ID}",
        f"https://open.spotify.com.example.org/playlist/{ID}",
        f"https://notspotify.com/playlist/{ID}",
        f"https://example.org/?uri=spotify:playlist:{ID}",
        "https://spotify.link/AbCdEf",
        "http://[broken/playlist",
        "engenremap-breakbeat.html",
    ],
)
def test_what_names_nothing_is_nothing(text: str | None) -> None:
    assert parse_link(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"spotify:track:{ID}", "is a link to a track, not to a playlist"),
        (f"spotify:artist:{ID}", "is a link to an artist, not to a playlist"),
        ("https://spotify.link/AbCdEf", "short link, which contains no id"),
        ("spotify:user:118430647:starred", "starred tracks, which Spotify's API no longer has"),
        ("Sound of Breakbeat", "is not a link to a playlist"),
    ],
)
def test_a_link_of_the_wrong_kind_says_what_it_is_and_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as raised:
        require_link(text, "playlist")
    assert repr(text) in str(raised.value) and "spotify:playlist:ID" in str(raised.value)


def test_a_bare_id_is_enough_where_the_kind_is_known() -> None:
    assert require_link(f" {ID} ", "playlist") == ID
