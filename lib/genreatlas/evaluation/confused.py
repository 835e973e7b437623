"""Songs that a model was surest about and wrong: what a person should listen to."""

import pandas as pd

CONFUSED_COLUMNS = ("song_id", "group_id", "genre_id", "predicted", "confidence", "score_of_truth")


def confidently_confused(predictions: pd.DataFrame, limit: int = 10, per_group: int = 2) -> pd.DataFrame:
    """Wrong predictions by the margin between the predicted and the true genre's score, largest first.

    Parameters
    ----------
    predictions : rows of ``predictions`` of one model (song_id, group_id, genres, predicted, confidence, scores).
    limit : at most so many songs.
    per_group : at most so many songs of one group, lest one odd artist fill the list.

    Returns
    -------
    song_id, group_id, genre_id (the best-scored of the true genres), predicted, confidence,
    score_of_truth; equal margins are ordered by song_id.
    """
    rows = []
    for song in predictions.to_dict("records"):
        if song["predicted"] in list(song["genres"]):
            continue
        scores = dict(song["scores"])
        truth = max(song["genres"], key=lambda genre: (scores.get(genre, float("-inf")), genre))
        rows.append(
            (song["song_id"], song["group_id"], truth, song["predicted"], song["confidence"], scores.get(truth))
        )
    wrong = pd.DataFrame(rows, columns=list(CONFUSED_COLUMNS))
    wrong["margin"] = (wrong["confidence"] - wrong["score_of_truth"]).astype(float)
    wrong = wrong.sort_values(["margin", "song_id"], ascending=[False, True], na_position="last")
    kept = wrong[wrong.groupby("group_id").cumcount() < per_group]
    return kept.head(limit).drop(columns="margin").reset_index(drop=True)
