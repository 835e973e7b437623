"""Which wrong predictions are shown to people."""

import pandas as pd

from genreatlas.evaluation import confidently_confused


def song(name: str, predicted: str, scores: dict[str, float], genres=("jazz",), group: str | None = None) -> dict:
    return {
        "song_id": name,
        "group_id": group or f"artist of {name}",
        "genres": list(genres),
        "predicted": predicted,
        "confidence": scores[predicted],
        "scores": list(scores.items()),  # as Arrow hands maps over
    }


def test_the_surest_mistakes_come_first_and_right_answers_never():
    rows = pd.DataFrame(
        [
            song("right", "jazz", {"jazz": 0.9, "rock": 0.1}),
            song("unsure", "rock", {"jazz": 0.4, "rock": 0.6}),
            song("sure", "rock", {"jazz": 0.1, "rock": 0.9}),
            song("one of two", "pop", {"jazz": 0.1, "pop": 0.9}, genres=("jazz", "pop")),
        ]
    )
    assert confidently_confused(rows).to_dict("records") == [
        {"song_id": "sure", "group_id": "artist of sure", "genre_id": "jazz", "predicted": "rock",
         "confidence": 0.9, "score_of_truth": 0.1},
        {"song_id": "unsure", "group_id": "artist of unsure", "genre_id": "jazz", "predicted": "rock",
         "confidence": 0.6, "score_of_truth": 0.4},
    ]  # fmt: skip


def test_one_artist_fills_at_most_two_places_and_ties_go_by_song():
    scores = {"jazz": 0.2, "rock": 0.8}
    rows = pd.DataFrame([song(name, "rock", scores, group="one") for name in "dcba"] + [song("z", "rock", scores)])
    assert confidently_confused(rows)["song_id"].tolist() == ["a", "b", "z"]
    assert confidently_confused(rows, limit=1)["song_id"].tolist() == ["a"]


def test_no_mistakes_give_no_rows():
    assert confidently_confused(pd.DataFrame([song("right", "jazz", {"jazz": 1.0})])).empty
