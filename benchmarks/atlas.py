"""Evaluate the map of genres on the genres of Every Noise: ``python benchmarks/atlas.py --data FOLDER``.

FOLDER contains ``genre_mean_audio_features_2020.csv``, ``genre_coordinates_2021-05.csv`` and
``index_2022-03-22.html`` (Every Noise); ``--songs`` is a table of Spotify songs with playlist genres and subgenres.
Writes ``benchmarks/atlas.json``, and the table in ``docs/atlas.md`` between its markers. ``--only`` runs some parts and
keeps the results of the others.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from atlas_figures import keep, write_table
from atlas_size import judge_size
from sklearn.metrics import roc_auc_score

from genreatlas.atlas import genealogy, positions, profiles, quality
from genreatlas.config import Config
from genreatlas.ids import slug
from genreatlas.sources.every_noise import parse_map

ROOT = Path(__file__).parents[1]
#: Parent edges derived from names and checked by hand: 200 drawn at random, and further exceptions that were found.
GOLD = ROOT / "benchmarks" / "name_edges.csv"
#: Mean Spotify features used to compare genres. Means of key, mode and time signature are meaningless.
FEATURES = (
    "danceability", "energy", "loudness", "speechiness", "acousticness", "instrumentalness", "liveness", "valence",
    "tempo",
)  # fmt: skip
ALL_FEATURES = (*FEATURES, "key", "mode", "time_signature")
SETTINGS = Config().map
SEED, FOLDS = SETTINGS.seed, 5


@dataclass(frozen=True)
class Genres:
    """Genres with both mean features and coordinates."""

    names: list[str]
    means: pd.DataFrame
    xy: np.ndarray
    colour: np.ndarray
    size: np.ndarray

    @property
    def space(self) -> np.ndarray:
        """Standardised profiles."""
        return profiles.standardise(self.means[list(FEATURES)].to_numpy())[0]


def read(folder: Path) -> Genres:
    """Join features, coordinates and popularity by slug."""
    means = pd.read_csv(folder / "genre_mean_audio_features_2020.csv", index_col=0).rename(columns={"genre": "slug"})
    places = pd.read_csv(folder / "genre_coordinates_2021-05.csv")
    places["slug"] = places.genre.str.lower().str.replace("[^a-z0-9]", "", regex=True)
    both = means.drop_duplicates("slug").merge(places.drop_duplicates("slug"), on="slug")
    page = parse_map((folder / "index_2022-03-22.html").read_text(encoding="utf-8"))
    weight = {slug(genre.name): genre.weight for genre in page}
    size = np.log([weight.get(slug(name)) or np.nan for name in both.genre])
    colour = np.array([[int(code[k : k + 2], 16) for k in (1, 3, 5)] for code in both.hex_colour], dtype=float)
    return Genres(list(both.genre), both, both[["x", "y"]].to_numpy(float), colour, size)


def judge_map(genres: Genres) -> dict[str, float]:
    """Evaluate the unsupervised lens with default settings, and its controls."""
    space, family = genres.space, quality.families(genres.names)
    places = positions.embed(space, SETTINGS.perplexity, SEED)
    again = positions.embed(space, SETTINGS.perplexity, SEED)
    other = positions.embed(space, SETTINGS.perplexity, SEED + 1)
    xy, _ = profiles.standardise(genres.xy)
    five = np.hstack([xy, profiles.standardise(genres.colour)[0]])
    trustworthiness, continuity = quality.neighbourhoods(space, places)
    return {
        "trustworthiness": trustworthiness,
        "continuity": continuity,
        "family_2d": quality.family_accuracy(places, family),
        "family_full": quality.family_accuracy(space, family),
        "family_every_noise": quality.family_accuracy(xy, family),
        "mantel": quality.mantel(places, five),
        "mantel_xy": quality.mantel(places, xy),
        "mantel_full": quality.mantel(space, five),
        "mantel_shuffled": quality.mantel(places, five, shuffle=SEED),
        "rebuild_equal": float(places.tobytes() == again.tobytes()),
        "procrustes_seeds": positions.procrustes_r2(other, places),
    }


def judge_methods(genres: Genres) -> dict[str, float]:
    """Evaluate the other embedding methods (UMAP, PaCMAP) with the same settings."""
    space, family = genres.space, quality.families(genres.names)
    found = {}
    for method in ("umap", "pacmap"):
        places = positions.embed(space, SETTINGS.perplexity, SEED, method=method)
        trustworthiness, continuity = quality.neighbourhoods(space, places)
        found |= {
            f"{method}_trustworthiness": trustworthiness,
            f"{method}_continuity": continuity,
            f"{method}_family_2d": quality.family_accuracy(places, family),
        }
    return found


def judge_axes(genres: Genres) -> dict[str, float]:
    """Evaluate the lens with the axes of Every Noise, predicted from all mean features."""
    space, _ = profiles.standardise(genres.means[list(ALL_FEATURES)].to_numpy())
    axes = positions.label_axes(space, genres.xy, SEED, FOLDS)
    return {"axes_r2_x": axes.r2[0], "axes_r2_y": axes.r2[1]}


def judge_halves(genres: Genres, songs: Path) -> dict[str, float]:
    """Compare maps of two halves of synthetic songs: 1,000 real genre means, with the spread of the Spotify table."""
    random = np.random.default_rng(SEED)
    chosen = random.choice(len(genres.names), 1000, replace=False)
    centres = genres.means[list(FEATURES)].to_numpy()[chosen]
    table = pd.read_csv(songs)
    inside = table.groupby("playlist_subgenre")[list(FEATURES)].std().median().to_numpy()
    genre = np.repeat(np.arange(1000), 150)
    made = profiles.Songs(
        values=(centres[genre] + random.normal(size=(len(genre), len(FEATURES))) * inside).astype(np.float32),
        recording=np.arange(len(genre)),
        artist=np.full(len(genre), -1),
        song=np.arange(len(genre)),
        genre=genre,
        weight=np.ones(len(genre)),
    )
    maps = []
    for half in profiles.half_samples(made, SEED):
        mean = profiles.build_profiles(half, 1000, SETTINGS.artist_share).mean
        maps.append(positions.embed(profiles.standardise(mean)[0], SETTINGS.perplexity, SEED))
    return {"procrustes_half": positions.procrustes_r2(*maps)}


def _hits(scores: np.ndarray, children: np.ndarray, candidates: np.ndarray, edges: np.ndarray, known: np.ndarray,
          most: tuple[int, ...]) -> tuple[np.ndarray, int]:  # fmt: skip
    """Number of edges whose parent ranks among the first ``most``, and number of edges; a child's other parents are
    removed from the ranking.
    """
    row = {child: number for number, child in enumerate(children)}
    column = {parent: number for number, parent in enumerate(candidates)}
    hits, n = np.zeros(len(most)), 0
    for child, parent in edges:
        if parent not in column:
            continue
        mine = scores[row[child]].copy()
        others = [column[p] for c, p in known if c == child and p != parent and p in column]
        mine[[*others, *([column[child]] if child in column else [])]] = -np.inf
        place = int((mine > mine[column[parent]]).sum())
        hits += [place < k for k in most]
        n += 1
    return hits, n


def gold_edges(names: Sequence[str]) -> tuple[np.ndarray, dict[str, float]]:
    """Edges (child, parent) derived from names, without those rejected by hand; and the counts of the manual check."""
    read_by_hand = pd.read_csv(GOLD)
    drawn = read_by_hand[read_by_hand.drawn == "yes"].parent.value_counts()
    wrong = {(row.genre, row.head) for row in read_by_hand.itertuples() if row.parent == "no"}
    edges = [edge for edge in genealogy.name_heads(names) if (names[edge[0]], names[edge[1]]) not in wrong]
    return np.array(edges), {"gold_wrong": float(drawn["no"]), "gold_doubtful": float(drawn["doubtful"])}


def judge_parents(genres: Genres) -> dict[str, float]:
    """Evaluate the prediction of parents from sound and popularity; the truth is derived from names, which are not used
    as evidence here.

    Cross-validated over children for parents that have other children in training, and over parents for unseen
    parents. Each edge is one test case.
    """
    edges, gold = gold_edges(genres.names)
    pairs = genealogy.Pairs(genealogy.Evidence(genres.space, genres.size))
    random = np.random.default_rng(SEED)
    shuffled = genealogy.Pairs(
        genealogy.Evidence(genres.space[random.permutation(len(genres.space))], np.full(len(genres.size), np.nan))
    )
    child_fold = random.permutation(len(genres.names)) % FOLDS
    parent_fold = random.permutation(len(genres.names)) % FOLDS
    all_parents = np.unique(edges[:, 1])
    other_child, other_parent = genealogy.other_parents(edges, SEED, each=5, matched=True)
    found = {name: np.zeros(2) for name in ("model", "prior", "shuffled", "unseen", "unseen_distance")}
    n = dict.fromkeys(found, 0)
    score: list[float] = []
    near: list[float] = []
    truth: list[int] = []

    def count(name: str, *what, most=(1, 3)) -> None:
        hits, edges_asked = _hits(*what, most)
        found[name] += hits
        n[name] += edges_asked

    for fold in range(FOLDS):
        train, test = edges[child_fold[edges[:, 0]] != fold], edges[child_fold[edges[:, 0]] == fold]
        children = np.unique(np.concatenate([test[:, 0], other_child[child_fold[other_child] == fold]]))
        model = genealogy.ParentModel(pairs, train, SEED)
        said = model.probabilities(children, model.parents)
        count("model", said, children, model.parents, test, edges)
        prior = np.array([(train[:, 1] == parent).sum() for parent in model.parents], dtype=float)
        count("prior", np.tile(prior, (len(children), 1)), children, model.parents, test, edges)
        blind = genealogy.ParentModel(shuffled, train, SEED).probabilities(children, model.parents)
        count("shuffled", blind, children, model.parents, test, edges)
        mine = child_fold[other_child] == fold
        for child, parent, true in (
            *((*edge, 1) for edge in test),
            *((*pair, 0) for pair in zip(other_child[mine], other_parent[mine], strict=True)),
        ):
            at = np.searchsorted(model.parents, parent)
            if at < len(model.parents) and model.parents[at] == parent:
                score.append(said[np.searchsorted(children, child), at])
                near.append(-float(pairs.distance[child, parent]))
                truth.append(true)
        train, test = edges[parent_fold[edges[:, 1]] != fold], edges[parent_fold[edges[:, 1]] == fold]
        children = np.unique(test[:, 0])
        # All candidates, seen in training or not, are scored by the evidence of the pair alone.
        alone = genealogy.PairModel(pairs, train, SEED).logits(children, all_parents)
        count("unseen", alone, children, all_parents, test, edges, most=(1, 10))
        distance = -pairs.distance[np.ix_(children, all_parents)].astype(float)
        count("unseen_distance", distance, children, all_parents, test, edges, most=(1, 10))
    share = {name: hits / n[name] for name, hits in found.items()}
    return gold | {
        "parents_hits1": share["model"][0],
        "parents_hits3": share["model"][1],
        "parents_prior_hits1": share["prior"][0],
        "parents_prior_hits3": share["prior"][1],
        "parents_shuffled_hits1": share["shuffled"][0],
        "parents_shuffled_hits3": share["shuffled"][1],
        "unseen_hits1": share["unseen"][0],
        "unseen_hits10": share["unseen"][1],
        "unseen_distance_hits1": share["unseen_distance"][0],
        "unseen_distance_hits10": share["unseen_distance"][1],
        "parents_auc_matched": roc_auc_score(truth, score),
        "parents_auc_distance": roc_auc_score(truth, near),
    }


def judge_subgenres(songs: Path) -> dict[str, float]:
    """Predict the genre of each subgenre without its own songs, by z-scores of the distance of means and shared
    artists.
    """
    table = pd.read_csv(songs)
    values = profiles.standardise(table[list(FEATURES)].to_numpy())[0]
    names = sorted(table.playlist_genre.unique())
    right = {"subgenre_parents": 0, "subgenre_distance": 0, "subgenre_artists": 0}
    for _, own in table.groupby("playlist_subgenre"):
        genre = own.playlist_genre.iloc[0]
        artists = set(own.track_artist.dropna())
        rest = ~table.track_id.isin(own.track_id)
        distance, lift = [], []
        for name in names:
            mine = (rest & (table.playlist_genre == name)).to_numpy()
            distance.append(np.sqrt(((values[own.index].mean(axis=0) - values[mine].mean(axis=0)) ** 2).mean()))
            theirs = set(table.track_artist[mine].dropna())
            # Normalised for the number of artists of the genre by its square root, as in Ochiai's coefficient.
            lift.append(len(artists & theirs) / np.sqrt(len(theirs)))
        near, shared = (np.array(v) for v in (np.negative(distance), lift))
        near, shared = ((v - v.mean()) / v.std() for v in (near, shared))
        for key, by in (("subgenre_parents", near + shared), ("subgenre_distance", near), ("subgenre_artists", shared)):
            right[key] += names[int(by.argmax())] == genre
    return {key: float(value) for key, value in right.items()}


def main() -> None:
    """Run the parts and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of Every Noise's files")
    parser.add_argument("--songs", type=Path, help="CSV of Spotify songs; default: ../tables/spotify_songs.csv")
    parser.add_argument(
        "--only", nargs="*", choices=("map", "methods", "axes", "halves", "parents", "subgenres", "size")
    )
    arguments = parser.parse_args()
    songs = arguments.songs or arguments.data.parent / "tables" / "spotify_songs.csv"
    genres = read(arguments.data)
    parts: dict[str, Callable[[], dict[str, float]]] = {
        "map": lambda: judge_map(genres),
        "methods": lambda: judge_methods(genres),
        "axes": lambda: judge_axes(genres),
        "halves": lambda: judge_halves(genres, songs),
        "parents": lambda: judge_parents(genres),
        "subgenres": lambda: judge_subgenres(songs),
        "size": lambda: judge_size(arguments.data / "index_2022-03-22.html"),
    }
    for name in arguments.only or parts:
        found = parts[name]()
        print(*(f"{key} {value:.4f}" for key, value in found.items()), sep="\n", flush=True)
        keep(found, {"halves": 1000, "subgenres": 24, "size": 6291}.get(name, len(genres.names)))
    write_table(ROOT / "docs" / "atlas.md")


if __name__ == "__main__":
    main()
