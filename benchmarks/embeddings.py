"""Evaluate musicnn's feature sets and stacks on real music: writes embeddings.json and docs/embeddings.md.

    make embeddings
    python benchmarks/embeddings.py --data FOLDER

Speed and agreement are measured on clips of DATA/music, scores on midi5, whose clips are rendered from DATA/midi5 once
(7 minutes on two cores) as in `make results`. Features, and predictions of each division of midi5, are stored below
data/embeddings. ``--only`` measures some parts; the results of the others in embeddings.json are kept.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import musicnn_reference as reference
import numpy as np
from clips import clip_paths
from embeddings_page import write_page
from page import machine_line

ROOT = Path(__file__).parents[1]
WORK = ROOT / "data" / "embeddings"
PARTS = ("speed", "agreement", "midi5", "one_file")

#: Hand-made feature sets with one row per clip, without `quality`, which describes the encoding and not the music.
HAND = ("summary9", "gtzan57", "fma518_44k", "mfcc_cov", "ssd_rp", "groove", "tonality")
LEARNT = ("msd_musicnn", "msd_musicnn_tags")
MEMBERS = ["logistic_regression", "svc"]
FOLDS, REPEATS = 5, 5


def main() -> None:
    """Measure the requested parts and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with midi5/ and music/")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--page-only", action="store_true", help="print the page from embeddings.json")
    parser.add_argument("--wheel", type=Path, help="path of musicnn's wheel, if already downloaded")
    parser.add_argument("--processes", type=int, default=2, help="processes for the features of midi5")
    parsed = parser.parse_args()
    file = ROOT / "benchmarks" / "embeddings.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    register_network()
    if not parsed.page_only:
        music = clip_paths(WORK / "composed", parsed.data, 24)[-24:]
        measures = {
            "speed": lambda: speed(music),
            "agreement": lambda: agreement(music[::8], parsed.wheel),
            "midi5": lambda: midi5(parsed.data, parsed.processes),
            "one_file": lambda: one_file(music[0]),
        }
        for part in parsed.only:
            found |= measures[part]()
            found["machine"] = machine_line()
            file.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            print(part, "done", flush=True)
    write_page(found, ROOT / "docs" / "embeddings.md")


def register_network() -> None:
    """Register the feature sets of the network configured by `make embeddings`."""
    from genreatlas.audio.feature_sets import adopt_embeddings
    from genreatlas.config import load_config

    adopt_embeddings(load_config([WORK / "msd_musicnn.toml"]).extract.embeddings)


def extract(path: str, names: Sequence[str]) -> list[np.ndarray]:
    """Values of feature sets for the first 30 s of a file, including decoding."""
    from genreatlas.audio.feature_sets import get_feature_set
    from genreatlas.audio.layouts import get_layout
    from genreatlas.audio.worker import extract_clip
    from genreatlas.config import ClipSection

    sets = [get_feature_set(name) for name in names]
    found = {one.feature_set: one for one in extract_clip(path, 0.0, 30.0, ClipSection(), sets)}
    return [get_layout(one.axis).unpack(found[one.name])[0] for one in sets]


def speed(music: Sequence[str], repeats: int = 3) -> dict[str, Any]:
    """Clips per second on one core (decoding, resampling and network): the fastest of several runs of each clip.

    Measured in processor time, which other work on the machine hardly affects.
    """
    extract(music[0], LEARNT)  # loads the network
    seconds = []
    for path in music:
        runs = []
        for _ in range(repeats):
            start = time.process_time()
            extract(path, LEARNT)
            runs.append(time.process_time() - start)
        seconds.append(min(runs))
    return {
        "embedding_clips_per_s": 1.0 / float(np.median(seconds)),
        "embedding_seconds": {"median": float(np.median(seconds)), "slowest": max(seconds), "clips": len(seconds)},
    }


def agreement(music: Sequence[str], wheel: Path | None) -> dict[str, Any]:
    """Largest deviation of tags and embedding from the 64-bit reference, over the patches of some clips."""
    from genreatlas.audio.decode import read_clip, resample
    from genreatlas.audio.embeddings import run_network
    from genreatlas.audio.feature_sets import get_feature_set
    from genreatlas.audio.pretrained.musicnn import read_package

    variables, entry = read_package(wheel).variables, get_feature_set(LEARNT[0]).entry
    tags, embedding, patches = [], [], 0
    for path in music:
        signal = read_clip(path, 0.0, 30.0)
        samples = resample(signal.samples, signal.sample_rate, entry.sample_rate)
        ours = run_network(samples, entry)
        for place, patch in enumerate(reference.patches(reference.spectrogram(samples))):
            expected = reference.run(variables, patch)
            embedding.append(np.abs(ours[0][place] - expected[0]).max())
            tags.append(np.abs(ours[1][place] - expected[1]).max())
            patches += 1
    return {"tags_deviation": float(max(tags)), "embedding_deviation": float(max(embedding)), "patches": patches}


def midi5(data: Path, processes: int, until: float = float("inf")) -> dict[str, Any]:
    """Macro-F1 of all members and stacks on midi5, by repeated nested cross-validation over all songs.

    Predictions of each division of the songs are stored. No division is started after the time ``until`` of the
    monotonic clock; the result is computed from the available divisions, and empty if there is none.
    """
    songs = midi5_features(data, processes)
    y = songs["y"]
    stacks = {"stack": (*HAND, *LEARNT), "stack_hand": HAND, "stack_learnt": LEARNT}
    answers: dict[str, list[np.ndarray]] = {}
    weights: dict[str, list[dict[str, float]]] = {name: [] for name in stacks}
    for repeat in range(REPEATS):
        kept = WORK / f"midi5-repeat-{repeat}.json"
        if not kept.exists():
            if time.monotonic() > until:
                continue
            kept.write_text(json.dumps(one_division(songs, stacks, folds(y, repeat))), encoding="utf-8")
            print(f"midi5: repeat {repeat + 1} of {REPEATS}", flush=True)
        told = json.loads(kept.read_text(encoding="utf-8"))
        for one, said in told["said"].items():
            answers.setdefault(one, []).append(np.array(said))
        for name, rows in told["weights"].items():
            weights[name] += rows
    if not answers:
        return {}
    return {"midi5": summarise(answers, y, weights, songs["genres"].tolist())} | headline(answers, y)


def one_division(songs: Any, stacks: dict[str, Sequence[str]], fold: np.ndarray) -> dict[str, Any]:
    """Out-of-fold predictions of stacks and their members, and the weights of the stacks."""
    y, X, features = songs["y"], songs["X"], tuple(songs["features"].tolist())
    weights: dict[str, list[dict[str, float]]] = {name: [] for name in stacks}
    said: dict[str, np.ndarray] = {}
    for out in range(FOLDS):
        train, test = np.flatnonzero(fold != out), np.flatnonzero(fold == out)
        for name, sets in stacks.items():
            model = fit(sets, features, X[train], y[train], fold[train], len(songs["genres"]))
            columns = np.flatnonzero([owner in sets for owner in owners(features)])
            weights[name].append({part.name: float(w) for part, w in zip(model.parts, model.weights, strict=True)})
            judged = {name: model.scores(X[test][:, columns])}
            judged |= {part.name: part.model.scores(X[test][:, columns][:, part.columns]) for part in model.parts}
            for one, scores in judged.items():
                said.setdefault(one, np.zeros((len(y), len(songs["genres"]))))[test] = scores
    return {"said": {one: np.argmax(scores, axis=1).tolist() for one, scores in said.items()}, "weights": weights}


def fit(sets: Sequence[str], features: Sequence[str], X: np.ndarray, y: np.ndarray, fold: np.ndarray, k: int) -> Any:
    """Fit a stack on the columns of some sets, as the engine does."""
    from genreatlas.models.engines.stacks.stack_models import fit_stack, members_of_trial
    from genreatlas.models.types import Trial

    mine = np.flatnonzero([owner in sets for owner in owners(features)])
    trial = Trial("", "stack", "weighted", "+".join(sorted(sets)), {"members": MEMBERS}, 7)
    members = members_of_trial(trial, [features[place] for place in mine])
    return fit_stack(members, X[:, mine], y, fold, k)[0]


def owners(features: Sequence[str]) -> list[str]:
    """Feature set of each column."""
    return [max((one for one in (*HAND, *LEARNT) if name.startswith(f"{one}_")), key=len) for name in features]


def folds(y: np.ndarray, seed: int) -> np.ndarray:
    """Fold of each song, stratified by genre; every song is its own group."""
    from sklearn.model_selection import StratifiedKFold

    found = np.zeros(len(y), dtype=np.int64)
    for number, (_, out) in enumerate(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(y, y)):
        found[out] = number
    return found


def macro_f1(y: np.ndarray, answers: np.ndarray) -> float:
    """Macro-F1, as computed by the package."""
    from genreatlas.metrics import score_predicted

    return float(score_predicted("macro_f1", y, answers, int(y.max()) + 1).value)


def headline(answers: dict[str, list[np.ndarray]], y: np.ndarray) -> dict[str, Any]:
    """Results with required values: stacks, and their best members."""
    mean = {one: float(np.mean([macro_f1(y, each) for each in said])) for one, said in answers.items()}
    learnt = {one for one in mean if one.rpartition(" ")[2] in LEARNT}
    members = {one for one in mean if " on " in one}
    best = {"": max(members, key=mean.__getitem__), "_hand": max(members - learnt, key=mean.__getitem__)}
    found: dict[str, Any] = {}
    for end, name in best.items():
        stack = f"stack{end}"
        found |= {f"midi5_{stack}": mean[stack], f"midi5_best_member{end}": mean[name]}
        found |= {f"midi5_best_member{end}_name": name}
        found |= {f"midi5_{stack}_gain": gain(answers[stack], answers[name], y)}
    return found


def gain(stack: list[np.ndarray], member: list[np.ndarray], y: np.ndarray, samples: int = 2000) -> dict[str, float]:
    """Difference of macro-F1, averaged over repeats, with a 95 % bootstrap interval over songs.

    The p-value is from a two-sided permutation test that swaps both predictions of a song, in all repeats at once.
    """
    rng = np.random.default_rng(7)

    def difference(first: list[np.ndarray], second: list[np.ndarray], songs: np.ndarray) -> float:
        pairs = zip(first, second, strict=True)
        return float(np.mean([macro_f1(y[songs], a[songs]) - macro_f1(y[songs], b[songs]) for a, b in pairs]))

    everything = np.arange(len(y))
    seen = difference(stack, member, everything)
    drawn = [difference(stack, member, rng.integers(0, len(y), len(y))) for _ in range(samples // 4)]
    beyond = 0
    for _ in range(samples // 4):
        swap = rng.random(len(y)) < 0.5
        pairs = list(zip(stack, member, strict=True))
        first, second = ([np.where(swap, *pair[::way]) for pair in pairs] for way in (1, -1))
        beyond += abs(difference(first, second, everything)) >= abs(seen) - 1e-12
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"gain": seen, "low": float(low), "high": float(high), "p": (beyond + 1) / (samples // 4 + 1)}


def summarise(
    answers: dict[str, list[np.ndarray]], y: np.ndarray, weights: dict[str, list[dict[str, float]]], genres: list[str]
) -> dict[str, Any]:
    """All scores with their standard deviation over repeats, F1 per genre of the stacks, and mean weights."""
    rows = {}
    for one, said in answers.items():
        scores = [macro_f1(y, each) for each in said]
        rows[one] = {"macro_f1": float(np.mean(scores)), "sd_of_repeats": float(np.std(scores))}
    shown = {}
    for name, each in weights.items():
        values = {member: np.array([one[member] for one in each]) for member in each[0]}
        shown[name] = {member: {"mean": float(one.mean()), "sd": float(one.std())} for member, one in values.items()}
    repeats = len(next(iter(answers.values())))
    return {"songs": len(y), "genres": genres, "folds": FOLDS, "repeats": repeats, "scores": rows, "weights": shown}


def one_file(file: str) -> dict[str, Any]:
    """Seconds of :func:`genreatlas.predict` for a clip of 30 s with stacks on some sets: first and later calls."""
    found = {}
    for name, sets in {
        "summary": ("gtzan57", "summary9"),
        "hand": HAND,
        "learnt": LEARNT,
        "all": (*HAND, *LEARNT),
    }.items():
        with tempfile.TemporaryDirectory(prefix="one-file-") as folder:
            write_stack(Path(folder), "+".join(sorted(sets)))
            command = [sys.executable, str(ROOT / "benchmarks" / "one_file.py"), file, "--measure", folder]
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
            found[name] = json.loads(done.stdout) | {"sets": sets}
    return {"predict_seconds": found}


def write_stack(models: Path, feature_set: str) -> None:
    """Store a stack of ten genres as champion, fitted on noise, as its run time does not depend on the data."""
    from genreatlas.audio.feature_sets import get_feature_set
    from genreatlas.audio.preprocess import preprocessing_id
    from genreatlas.config import load_config
    from genreatlas.models import meta, registry
    from genreatlas.models.types import FittedModel

    config = load_config([], [f'models.path="{models}"'])
    sets = [get_feature_set(name) for name in feature_set.split("+")]
    columns = tuple(f"{one.name}_{feature.name}" for one in sets for feature in one.features)
    rng = np.random.default_rng(7)
    y = np.arange(300) % 10
    mine = tuple(one.name for one in sets)
    model = fit(mine, columns, rng.normal(size=(300, len(columns))).astype(np.float32), y, np.arange(300) // 60, 10)
    classes = tuple(f"genre{number}" for number in range(10))
    version = "+".join(one.version for one in sets)
    made = "+".join(preprocessing_id(config.clip) for _ in sets)
    fields = {
        "model_id": "m", "feature_set": feature_set, "set_version": version, "preprocessing_id": made,
        "songs_of": (feature_set, version, made), "axis": "summary", "features": columns, "classes": classes,
        "class_names": classes, "multi": False, "score_kind": "probability", "format": model.format,
        "imputation": "median", "train": config.train.model_dump(mode="json"),
        "clip": config.clip.model_dump(mode="json"),
    }  # fmt: skip
    registry.save(config, meta.Meta(**fields), FittedModel(model.dumps(), model.format, "probability", 0.0))
    meta.write_alias(models, "champion", "m")


def midi5_features(data: Path, processes: int) -> Any:
    """Features of all clips of midi5, rendered and extracted once."""
    from genreatlas.audio.feature_sets import get_feature_set

    clips = ROOT / "data" / "results" / "midi5" / "clips"
    if not (clips / "manifest.csv").exists():
        subprocess.run(["bash", str(data / "midi5" / "render.sh"), str(clips)], check=True)
    sets = [get_feature_set(name) for name in (*HAND, *LEARNT)]
    kept = WORK / f"midi5-{'-'.join(one.version for one in sets)}.npz"
    if not kept.exists():
        with (clips / "manifest.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        paths = [str(clips / row["path"]) for row in rows]
        names = [one.name for one in sets]
        with ProcessPoolExecutor(processes, initializer=register_network) as pool:
            values = list(_told(pool.map(partial(extract, names=names), paths, chunksize=4), len(paths)))
        genres = sorted({row["genre"] for row in rows})
        X = np.stack([np.concatenate(row) for row in values]).astype(np.float32)
        y = np.array([genres.index(row["genre"]) for row in rows])
        features = [f"{one.name}_{feature.name}" for one in sets for feature in one.features]
        np.savez(kept, X=X, y=y, genres=np.array(genres), features=np.array(features))
    return np.load(kept)


def _told(rows: Iterator[Any], total: int) -> Iterator[Any]:
    for number, row in enumerate(rows, 1):
        if number % 25 == 0:
            print(f"midi5: features of {number} of {total} clips", flush=True)
        yield row


if __name__ == "__main__":
    main()
