"""Providers of previews against a real server, and whether what they find is what was looked for."""

import hashlib
import io
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import soundfile

from genreatlas.collecting.preview_fetch import PreviewFetch
from genreatlas.config import DeezerSection, FanOutSection, HttpSection, load_config
from genreatlas.errors import ConfigError, FetchError, InputError, Reason
from genreatlas.fanout.runners import results
from genreatlas.fanout.work import Task
from genreatlas.sources.hosts import forget_hosts
from genreatlas.sources.previews import open_provider
from genreatlas.sources.previews.addresses import EveryNoisePreviews, HttpFiles, SpotifyPreviews
from genreatlas.sources.previews.deezer import DeezerPreviews, mismatch, normalise_title
from genreatlas.sources.previews.manifest import ListedFile, Refused, read_list, song_id
from genreatlas.sources.previews.provider import SONG_COLUMNS
from loopback import Reply, serve

AUDIO = b"ID3" + bytes(range(256)) * 8
SETTINGS = FanOutSection(backoff_s=0.01, tries=2)


def song(**facts):
    known = {"title": "One More Time", "artist": "Daft Punk", "isrc": "GBDUW0000053", "duration_ms": 320_357}
    return dict.fromkeys(SONG_COLUMNS) | known | facts


def track(server, **changes):
    body = {
        "id": 3135553,
        "title": "One More Time",
        "duration": 320,
        "isrc": "GBDUW0000053",
        "preview": f"{server.url}/cdn/1.mp3?hdnea=exp=1~hmac=s3cret",
        "artist": {"id": 27, "name": "Daft Punk"},
        "contributors": [{"name": "Daft Punk"}, {"name": "Romanthony"}],
    }
    return Reply(body=json.dumps(body | changes).encode())


def deezer(server, **facts):
    provider = DeezerPreviews(DeezerSection(api_url=server.url), 16)
    return provider.open(SETTINGS)(song(**facts))


def test_deezer_finds_a_song_by_isrc_and_fetches_it_at_once():
    def script(asked):
        return track(server) if asked.path.startswith("/track") else Reply(body=AUDIO, kind="audio/mpeg")

    with serve(script) as server:
        preview = deezer(server)
        assert (preview.data, preview.reference) == (AUDIO, "deezer track 3135553")
        assert server.paths() == ["/track/isrc:GBDUW0000053", "/cdn/1.mp3"]


def test_an_address_that_expired_in_the_meantime_is_asked_for_anew_once():
    def script(asked):
        if asked.path.startswith("/track"):
            return track(server)
        return Reply(403) if server.paths().count("/cdn/1.mp3") < good_at else Reply(body=AUDIO, kind="audio/mpeg")

    with serve(script) as server:
        good_at = 2
        assert deezer(server).data == AUDIO
        good_at = 99
        with pytest.raises(FetchError) as caught:
            deezer(server)
        assert caught.value.reason is Reason.LINK_EXPIRED and "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason", "transient"),
    [
        ({"title": "One More Time (Live)"}, Reason.VERSION_MISMATCH, False),
        ({"duration": 324}, Reason.VERSION_MISMATCH, False),
        ({"artist": {"name": "Somebody"}, "contributors": []}, Reason.VERSION_MISMATCH, False),
        ({"preview": ""}, Reason.NO_PREVIEW, False),
        ({"artist": None}, Reason.WRONG_CONTENT, True),
        ({"isrc": "GBDUW0000054"}, Reason.WRONG_CONTENT, True),
    ],
)
def test_another_version_is_not_taken(changes, reason, transient):
    with serve(lambda _: track(server, **changes)) as server, pytest.raises(FetchError) as caught:
        deezer(server)
    assert (caught.value.reason, caught.value.transient) == (reason, transient)


def test_a_song_without_isrc_costs_deezer_no_request():
    with serve(lambda _: Reply(500)) as server:
        with pytest.raises(FetchError, match="no_preview"):
            deezer(server, isrc=None)
        assert server.asked == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("One More Time", "one more time", True),
        ("Sugar (feat. Robyn)", "Sugar", True),
        ("Sugar feat. Robyn", "Sugar (with Robyn)", True),
        ("Come Together - Remastered 2009", "Come Together", True),
        ("Come Together (2019 Remaster)", "Come Together - Remastered", True),
        ("Café", "Cafe", True),
        ("Remastered", "Other", False),
        ("Sugar - Remix", "Sugar", False),
        ("Sugar (Live)", "Sugar", False),
        ("Sugar - Live - Remastered 2009", "Sugar", False),
        ("Part 1", "Part 2", False),
    ],
)
def test_titles_agree_up_to_guests_masterings_and_spelling(one, other, same):
    assert (normalise_title(one) == normalise_title(other)) is same


@pytest.mark.parametrize(
    ("credit", "found", "same"),
    [
        ("Daft Punk; Pharrell Williams", ["Daft Punk"], True),
        ("Simon & Garfunkel", ["Simon & Garfunkel"], True),
        ("The Beatles", ["Beatles"], True),
        ("A, B & C", ["B"], True),
        ("Tyler, The Creator", ["Tyler The Creator"], True),
        ("Björk", ["Bjork"], True),
        ("Somebody", ["Nobody", "Somebody Else"], False),
    ],
)
def test_artists_agree_where_one_reading_of_both_credits_does(credit, found, same):
    assert (mismatch("x", credit, 30.0, "x", found, 32.9) == "") is same


def test_durations_may_differ_by_three_seconds_and_are_not_compared_where_unknown():
    assert mismatch("x", "a", 200.0, "x", ["a"], 203.0) == ""
    assert "lasts 204 s" in mismatch("x", "a", 200.0, "x", ["a"], 204.0)
    assert mismatch("x", "a", None, "x", ["a"], 999.0) == ""


def test_addresses_of_spotify_and_every_noise_are_taken_as_they_were_seen():
    with serve(lambda a: Reply(404) if "dead" in a.path else Reply(body=AUDIO, kind="audio/mpeg")) as server:
        preview_of = SpotifyPreviews(16, ("127.0.0.1",)).open(SETTINGS)
        preview = preview_of(song(preview_url=f"{server.url}/mp3-preview/abc?cid=s3cret"))
        assert (preview.data, preview.reference) == (AUDIO, f"{server.url}/mp3-preview/abc")
        assert server.asked[0].query == {"cid": "s3cret"}
        for facts, reason in (({}, "no_preview"), ({"preview_url": f"{server.url}/dead"}, "link_expired")):
            with pytest.raises(FetchError, match=reason) as caught:
                preview_of(song(**facts))
            assert not caught.value.transient
        assert EveryNoisePreviews(16, ("127.0.0.1",)).open(SETTINGS)(song(example_url=f"{server.url}/e")).data == AUDIO


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_listed_checksum_is_compared(kind):
    good = hashlib.new(kind, AUDIO).hexdigest().upper()
    with serve(lambda _: Reply(body=AUDIO, kind="application/octet-stream")) as server:
        preview_of = HttpFiles(HttpSection(licence="CC BY 4.0", hosts=(server.host,)), 16).open(SETTINGS)
        preview = preview_of(song(file_url=server.url, checksum=good))
        assert (preview.data, preview.licence) == (AUDIO, "CC BY 4.0")
        with pytest.raises(FetchError, match="checksum_mismatch") as caught:
            preview_of(song(file_url=server.url, checksum=good[:-1] + ("0" if good[-1] != "0" else "1")))
        assert caught.value.transient


def test_commercial_providers_are_off_until_their_terms_are_acknowledged():
    for name, words in (
        ("spotify", "https://developer.spotify.com/terms"),
        ("every_noise", "spotify.acknowledge_terms = true"),
        ("deezer", "https://developers.deezer.com/termsofuse"),
        ("http", "http.manifest"),
    ):
        with pytest.raises(ConfigError, match=words):
            open_provider(name, load_config())
    on = load_config([], ["spotify.acknowledge_terms=true", "deezer.acknowledge_terms=true", "http.manifest=a.csv"])
    assert [open_provider(name, on).name for name in ("spotify", "every_noise", "deezer", "http")] == [
        "spotify",
        "every_noise",
        "deezer",
        "http",
    ]


def test_every_row_of_a_list_is_a_file_or_refused_at_its_line(tmp_path):
    path = tmp_path / "list.csv"
    rows = [f'https://a.org/{n}.mp3,"Song, {n}","Rock,Pop"' for n in range(8)]
    rows[2] = rows[2].replace('"Song, 2"', '"Song, 2')
    path.write_bytes(("url,title,genre\n" + "\n".join(rows) + "\n").encode("utf-16"))
    found = list(read_list(HttpSection(manifest=path)))
    assert [row.place for row in found if isinstance(row, Refused)] == ["line 4"]
    files = [row for row in found if isinstance(row, ListedFile)]
    assert len(files) == 7 and [genre.name for genre in files[0].song.genres] == ["Rock", "Pop"]


def test_a_list_is_read_under_its_own_names_of_columns(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        "track;download;tag;license\n"
        "7;https://a.org/7.mp3;Rock;CC BY\n"
        ";https://a.org/8.mp3?key=s3cret;Jazz;\n"
        "9;;Jazz;\n"
        "7;https://a.org/7b.mp3;Rock;\n"
        "10;https://a.org/10.mp3;;\n",
        encoding="utf-8",
    )
    columns = {"song": "track", "url": "download", "genre": "tag", "licence": "license"}
    rows = list(read_list(HttpSection(manifest=path, columns=columns)))
    good = [row for row in rows if isinstance(row, ListedFile)]
    assert [(row.song_id, row.url, [g.name for g in row.song.genres], row.song.licence) for row in good] == [
        (song_id("7"), "https://a.org/7.mp3", ["Rock"], "CC BY"),
        (song_id("https://a.org/8.mp3"), "https://a.org/8.mp3?key=s3cret", ["Jazz"], None),
    ]
    assert [(row.place, row.reason.value) for row in rows if isinstance(row, Refused)] == [
        ("line 4", "bad_value"),
        ("line 5", "duplicate_row"),
        ("line 6", "no_genre"),
    ]
    with pytest.raises(InputError, match="missing columns: url"):
        list(read_list(HttpSection(manifest=path)))
    with pytest.raises(ConfigError, match=r"http\.columns\.link = 'link' is not allowed"):
        load_config([], ['http.columns={link="download"}'])
    with pytest.raises(InputError, match="no such file"):
        list(read_list(HttpSection(manifest=tmp_path / "none.csv")))


def test_a_list_sends_no_request_to_this_machine_unless_the_configuration_names_it():
    with serve(lambda _: Reply(body=AUDIO, kind="audio/mpeg")) as server:
        other = server.url.replace("127.0.0.1", "localhost")
        lists = {
            "file_url": HttpFiles(HttpSection(hosts=("files.example", "127.0.0.1:1")), 16),
            "preview_url": SpotifyPreviews(16, ("api.spotify.com",)),
            "example_url": EveryNoisePreviews(16),
        }
        for column, provider in lists.items():
            for url in (
                server.url,
                other,
                "http://[::1]:9/",
                "https://127.0.0.1/",
                "http://127.1/",
                "http://10.0.0.1/",
            ):
                with pytest.raises(FetchError, match="bad_address") as caught:
                    provider.open(SETTINGS)(song(**{column: url}))
                assert "fan_out.private_hosts" in str(caught.value)
        assert server.asked == []
        named = SETTINGS.model_copy(update={"private_hosts": (server.host,)})
        assert lists["file_url"].open(named)(song(file_url=server.url)).data == AUDIO
        provider = open_provider("spotify", load_config([], SANDBOX))
        assert provider.open(SETTINGS)(song(preview_url=server.url)).data == AUDIO


SANDBOX = ["spotify.acknowledge_terms=true", "spotify.api_url=http://127.0.0.1:8441/v1"]


@pytest.mark.parametrize("value", ["999999999999", "99999999999", "inf"])
def test_a_host_that_asks_for_centuries_stops_no_key_at_another_host(value, tmp_path):
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(7).standard_normal(33_075) * 0.1, 22_050, format="MP3")
    good_reply = Reply(body=file.getvalue(), kind="audio/mpeg")
    forget_hosts()
    with serve(lambda _: Reply(429, headers={"Retry-After": value})) as bad, serve(lambda _: good_reply) as good:
        lists = [f"fetch_previews.providers={['http']}", f'http.manifest="{tmp_path}/x.csv"', "fan_out.tries=1"]
        config = load_config([], [*lists, 'http.hosts=["127.0.0.1"]', "fan_out.threads=2", "fan_out.backoff_s=0"])
        urls = [f"{(bad if number % 6 == 0 else good).url}/{number}.mp3" for number in range(54)]
        tasks = [Task(url, song(file_url=url)) for url in urls]
        paused = {}
        found = {result.key: result for result in results(tasks, PreviewFetch.of(config), config.fan_out, paused)}
    fetched = {url for url, result in found.items() if result.provider == "http"}
    assert fetched == {url for url in urls if url.startswith(good.url)} and len(found) == 54
    last = [attempt for result in found.values() for attempt in result.attempts if attempt.status != "ok"]
    if value == "inf":  # it says nothing, so the keys come back as after any 429
        assert paused == {} and {attempt.status for attempt in last} == {"retry"}
    else:
        assert list(paused) == [f"http {bad.host}"] and len(bad.asked) <= 2
        assert all(attempt.next_retry_at < datetime.now(UTC) + timedelta(days=8) for attempt in last)
