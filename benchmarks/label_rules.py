"""Effect of rules for songs with several genres, of thresholds, and of missing labels, on Spotify and synthetic songs.

Rules and thresholds are applied by the code of ``train_models`` (:mod:`genreatlas.datasets.labels`), on the 24
subgenres and on recordings instead of tracks. All models are tested on the same songs of other artists: a song is a hit
if the first predicted genre is one of its genres.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from calibration import SOUND

from genreatlas.config import TrainSection
from genreatlas.datasets.labels import Choice, choose
from genreatlas.metrics import score
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, fit
from genreatlas.models.types import Trial

#: Rule (``train.labels``) and minimum recordings per genre.
RULES = (("drop", 10), ("rarest", 10), ("multi", 10), ("rarest", 600), ("rarest", 800))
#: Values of the parameter ``label_frequency``, for data with half of the labels missing.
TOLD = (1.0, 0.75, 0.5)
_SEED, _HIDDEN = 7, 64


def fitted(X: np.ndarray, y: np.ndarray, n_genres: int, **params: object):
    """Fit a small perceptron; y is (n,) genre or (n, n_genres) labels."""
    trial = Trial("rules", "numpy", "multilayer_perceptron", "rules", {"hidden": _HIDDEN, **params}, _SEED)
    n = len(X)
    arrays = {"X": X.astype(np.float32), "y": y, "song": np.arange(n, dtype=np.int32), "fold": np.zeros(n, np.int16)}
    with tempfile.TemporaryDirectory() as folder:
        for name, array in arrays.items():
            np.save(Path(folder) / f"r-{name}.npy", array)
        files = MatrixFiles("r", n_genres, y.ndim == 2, folder)
        return fit(trial, files, GridSettings("accuracy", False, False), np.arange(n))[0]


def spotify_songs(tables: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Songs and labels as input of ``choose``, with a quarter of the artists in the test part; and features by song."""
    table = pd.read_csv(tables / "spotify_songs.csv")
    table = table[table["track_artist"].notna() & table["track_name"].notna()].rename(columns={"track_id": "song_id"})
    labels = table[["song_id", "playlist_subgenre"]].drop_duplicates()
    labels = labels.assign(genre_id=labels["playlist_subgenre"], genre=labels["playlist_subgenre"])
    first = table.drop_duplicates("song_id")
    artist = first["track_artist"].str.strip().str.lower()
    recording = pd.factorize(artist + "|" + first["track_name"].str.strip().str.lower())[0]
    group = pd.factorize(artist)[0]
    test = np.random.default_rng(_SEED).random(group.max() + 1) < 0.25
    songs = first[["song_id"]].assign(
        group_id=group, part=np.where(test[group], "test", "train"), fold=0, recording=recording, state="usable"
    )
    return songs, labels[["song_id", "genre_id", "genre"]], first.set_index("song_id")[list(SOUND)].astype(np.float32)


def rules(tables: Path) -> dict[str, object]:
    """Songs and genres kept by each rule and threshold, and the share of hits."""
    songs, labels, columns = spotify_songs(tables)
    every = choose(songs, labels, TrainSection(labels="multi", min_songs=1))
    judged = every.songs[every.songs["part"] == "test"]
    X = columns.loc[judged["song_id"]].to_numpy()
    rows = []
    for rule, least in RULES:
        chosen = choose(songs, labels, TrainSection(labels=rule, min_songs=least))
        train = chosen.songs[chosen.songs["part"] == "train"]
        model = fitted(columns.loc[train["song_id"]].to_numpy(), _targets(chosen, train), len(chosen.classes))
        first = np.array(chosen.classes)[model.matrix_scores(X, slice(None), np.arange(len(X))).argmax(axis=1)]
        hit = np.array([genre in genres for genre, genres in zip(first, judged["genres"], strict=True)])
        kept = np.array([bool(set(genres) & set(chosen.classes)) for genres in judged["genres"]])
        rows.append(
            {
                "labels": rule, "min_songs": least, "genres": len(chosen.classes), "songs": len(train),
                "judged": int(kept.sum()), "hit": round(float(hit[kept].mean()), 4),
                "hit_of_all": round(float(hit.mean()), 4),
            }
        )  # fmt: skip
        print(rows[-1], flush=True)
    several = int((every.songs["genres"].str.len() > 1).sum())
    return {"rules": rows, "recordings": len(every.songs), "several": several}


def _targets(chosen: Choice, train: pd.DataFrame) -> np.ndarray:
    place = {genre: number for number, genre in enumerate(chosen.classes)}
    if (train["genres"].str.len() == 1).all():
        return np.array([place[genres[0]] for genres in train["genres"]], dtype=np.int32)
    found = np.zeros((len(train), len(place)), dtype=bool)
    for row, genres in enumerate(train["genres"]):
        found[row, [place[genre] for genre in genres]] = True
    return found


def missing_labels(n: int = 12_000, n_genres: int = 40, frequency: float = 0.5) -> list[dict[str, float]]:
    """Results on ``n`` synthetic songs of about two genres each with half of the labels missing, tested on ``n`` songs
    with all labels.
    """
    rng = np.random.default_rng(_SEED)
    X = rng.normal(size=(2 * n, 20)).astype(np.float32)
    family = rng.normal(size=(n_genres // 4, 20))[np.arange(n_genres) // 4]
    logits = X @ (0.6 * family + 0.5 * rng.normal(size=(n_genres, 20))).T - 6.5 + rng.normal(size=n_genres)
    true = rng.random(logits.shape) < 1.0 / (1.0 + np.exp(-logits))
    labels = true & (rng.random(true.shape) < frequency)
    train, test = np.flatnonzero(labels[:n].any(axis=1)), n + np.flatnonzero(true[n:].any(axis=1))
    rows = []
    for told in TOLD:
        model = fitted(X[train], labels[train], n_genres, label_frequency=told)
        p = model.matrix_scores(X[test], slice(None), np.arange(len(test)))
        truth = true[test]
        first = p.argmax(axis=1)
        loss = -np.mean(np.log(np.clip(np.where(truth, p, 1.0 - p), 1e-9, 1.0)))
        rows.append(
            {
                "label_frequency": told,
                "macro_average_precision": round(float(score("macro_average_precision", truth, p).value or 0.0), 4),
                "micro_average_precision": round(float(score("micro_average_precision", truth, p).value or 0.0), 4),
                "hit": round(float(truth[np.arange(len(test)), first].mean()), 4),
                "genres_said": round(float(p.sum(axis=1).mean()), 2),
                "genres_true": round(float(truth.sum(axis=1).mean()), 2),
                "log_loss": round(float(loss), 4),
            }
        )
        print(rows[-1], flush=True)
    return rows
