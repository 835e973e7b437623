"""Answers about lists as rows of the tables."""

from datetime import UTC, datetime

from genreatlas.sources.spotify.song_rows import list_rows


def answer(playlist, songs, kind="playlist", route="everynoise", genres=("rock",)):
    described = [
        {"genre_id": genre, "genre": genre.title(), "route": route, "role": None, "number": 9, "weight": 0.5,
         "selection": "s", "kept": len(songs)}
        for genre in genres
    ]  # fmt: skip
    return {"playlist": {"playlist_id": playlist, "kind": kind, "snapshot": "v1"}, "genres": described, "songs": songs}


def listed(song, position=0, credits=(), genres=("rock",), **facts):
    named = [
        {"position": n, "artist_id": name.lower(), "name": name, "role": "primary"} for n, name in enumerate(credits)
    ]
    return {
        "song": {"song_id": song, "title": song} | facts, "position": position, "genres": list(genres),
        "listed_at": "2022-01-02T03:04:05+00:00" if position else None, "credits": named,
    }  # fmt: skip


def test_a_song_on_two_lists_is_one_row_with_a_label_from_each():
    rows = list_rows(
        [
            answer("P1", [listed("a", 3, ("Oona", "Otis"), ("rock", "pop")), listed("b")], genres=("rock", "pop")),
            answer("search:artist:oona", [listed("a", credits=("OONA",))], "artist", "artists"),
        ]
    )
    assert rows.songs == {"a": {"song_id": "a", "title": "a"}, "b": {"song_id": "b", "title": "b"}}
    assert rows.artist_rows == [{"artist_id": "oona", "name": "OONA"}, {"artist_id": "otis", "name": "Otis"}]
    assert rows.song_artists == [
        {"song_id": "a", "position": 0, "artist_id": "oona", "role": "primary"},
        {"song_id": "a", "position": 1, "artist_id": "otis", "role": "primary"},
    ]
    at = datetime(2022, 1, 2, 3, 4, 5, tzinfo=UTC)
    names = ("song_id", "genre_id", "source", "weight", "label_source", "playlist_id", "position", "listed_at")
    assert [tuple(label[name] for name in names) for label in rows.labels] == [
        ("a", "rock", "spotify:playlist:P1", 0.5, "playlist", "P1", 3, at),
        ("a", "pop", "spotify:playlist:P1", 0.5, "playlist", "P1", 3, at),
        ("b", "rock", "spotify:playlist:P1", 0.5, "playlist", "P1", 0, None),
        ("a", "rock", "spotify:search:artist:oona", 0.5, "artist", "search:artist:oona", 0, None),
    ]
    assert [(row["playlist_id"], row["genre_id"], row["kept"]) for row in rows.playlists] == [
        ("P1", "rock", 2), ("P1", "pop", 2), ("search:artist:oona", "rock", 1),
    ]  # fmt: skip


def test_what_lists_say_differently_of_one_song_does_not_depend_on_their_order():
    older = answer("P1", [listed("a", popularity=None, credits=("Oona",))])
    newer = answer("P2", [listed("a", popularity=17, credits=("Otis",))])
    one, other = list_rows([older, newer]), list_rows([newer, older])
    assert one.songs == other.songs and one.credits == other.credits
    assert one.credits["a"][0]["name"] == "Oona"


def test_lists_found_by_search_label_as_a_search():
    assert list_rows([answer("P1", [listed("a")], route="search")]).labels[0]["label_source"] == "search"
