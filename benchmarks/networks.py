"""Compare networks with hand-made feature sets: writes networks.json and the results in docs/networks.md.

    python benchmarks/networks.py --data FOLDER --budget-minutes 120

Parts: whether the recurrent network uses the order of notes (``rhythm_order``; ``rhythm_order_composed`` with the
composed notes instead of detected ones, which takes minutes), learning curves on the composed library (``composer_5``
to ``composer_40``: number of training artists per genre, with five songs each, tested on other artists), treatments of
imbalanced genres (``imbalance``), cross-validation with five folds on ``midi5`` and ``game_music``, and stacks on midi5
with and without a pretrained network (``midi5_stack``, which needs `make embeddings`). Features and the predictions of
every fit are stored below data/networks. After its time budget, a run starts no further fits; the next run continues.
Results are computed from the available fits and give their number. ``--again`` deletes the fits of the selected parts.
"""

import argparse
import json
import multiprocessing
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import networks_songs as songs
import numpy as np
from networks_fits import MEMBERS, Answers, Network, by_song, difference, fit_hand, fit_network, histogram
from networks_page import write_page
from page import machine_line

from genreatlas.config import SandboxSection

ROOT = Path(__file__).parents[1]
OUT, PAGE = ROOT / "benchmarks" / "networks.json", ROOT / "docs" / "networks.md"

NETWORKS = (
    Network("1-D CNN on timbre", "cnn_1d", "timbre_pitch", {"columns": "timbre"}),
    Network("1-D CNN on pitch", "cnn_1d", "timbre_pitch", {"columns": "pitch"}),
    Network("GRU on notes", "gru", "rhythm_notes"),
    Network("1-D CNN on notes", "cnn_1d", "rhythm_notes"),
    Network("GRU on bars", "gru", "groove_bars", {"columns": "duration+pattern"}),
    Network("2-D CNN on timbre and pitch", "cnn_2d", "timbre_pitch", {"columns": "timbre+pitch"}, seeds=1),
    Network("short-chunk CNN on mel128", "short_chunk_cnn", "mel128", seeds=1),
)
STACK = "stack of hand-made sets"

#: Numbers of training artists per genre, numbers of the test artists, and songs per artist.
SIZES, JUDGED, SONGS = (5, 10, 20, 40), range(40, 45), 5
#: For the pairs of grooves: training artists and test artists per genre, and songs per artist.
PAIR_TRAIN, PAIR_TEST, PAIR_SONGS = 120, 40, 3
#: Training parameters for the pairs of grooves: with few songs, the loss decreases only after about 40 epochs.
PAIR_FIT = {"crop_s": 6.0, "learning_rate": 3e-3, "epochs": 150, "patience": 60}
FOLDS = 5

#: Treatments of imbalanced genres, and the networks to compare them on.
TREATMENTS = ("none", "weights", "logit_adjustment", "resampling")
UNEVEN = (
    Network("1-D CNN on timbre", "cnn_1d", "timbre_pitch", {"columns": "timbre"}, seeds=3),
    Network("GRU on notes", "gru", "rhythm_notes", seeds=3),
)
#: Artists of the most frequent genre; the genre of rank r has 1/r of this number, so the last of eight has 3.
COMMONEST = 24

#: Maximum difference by which a network may be worse than the best hand-made model on composed songs.
MARGIN = 0.02
#: Required gain of a stack over its best member on midi5.
GAIN = 0.02


class Clock:
    """Time budget of a run."""

    def __init__(self, minutes: float) -> None:
        self.until = time.monotonic() + 60 * minutes

    @property
    def is_over(self) -> bool:
        """Whether the budget is used up, so that no fit may be started."""
        return time.monotonic() > self.until


def main() -> None:
    """Run the selected parts and write the results."""
    parts: dict[str, Callable[[argparse.Namespace, Clock], dict[str, Any]]] = {
        "rhythm_order_composed": partial(rhythm_order, heard=False),
        "rhythm_order": partial(rhythm_order, heard=True),
        "composer_5": partial(composer, size=5),
        "midi5_stack": midi5_stack,
        "composer_10": partial(composer, size=10),
        "midi5": partial(real, name="midi5", listed=songs.midi5),
        "game_music": partial(real, name="game_music", listed=songs.game_music),
        "imbalance": imbalance,
        "composer_20": partial(composer, size=20),
        "composer_40": partial(composer, size=40),
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with midi5/ and music/")
    parser.add_argument("--only", nargs="*", choices=list(parts), default=list(parts), metavar="PART")
    parser.add_argument("--networks", nargs="*", default=[one.name for one in NETWORKS], help="networks to fit")
    parser.add_argument(
        "--budget-minutes", type=float, default=float("inf"), help="minutes after which no fit is started"
    )
    parser.add_argument(
        "--pair-artists", type=int, default=PAIR_TRAIN, choices=range(FOLDS, PAIR_TRAIN + 1), metavar="N",
        help=f"training artists per genre for the order of notes, at most {PAIR_TRAIN} (the default)",
    )  # fmt: skip
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="drop the fits of these parts first")
    parser.add_argument("--page-only", action="store_true", help="print the page from networks.json")
    parsed = parser.parse_args()
    found: dict[str, Any] = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    clock = Clock(parsed.budget_minutes)
    for name in [name for name in parts if name in parsed.only and not parsed.page_only]:
        if parsed.again:
            for folder in (name, f"{name}_{parsed.pair_artists}"):
                shutil.rmtree(songs.WORK / "fits" / folder, ignore_errors=True)
        part = parts[name](parsed, clock)
        print(f"{name}: {'measured' if part else 'not run: the budget is used'}", flush=True)
        measured = found.get("parts", {}) | part.get("parts", {})
        found |= part | ({"machine": machine_line()} if part else {})
        found |= headline(measured) | {"parts": measured}
        OUT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    write_page(found, PAGE, list(parts))


def figure(
    value: float | None, unit: str, n: int, note: str, bar: float | None = None, **more: object
) -> dict[str, Any]:
    """A result in the format of networks.json."""
    return {"value": value, "bar": bar, "unit": unit, "n": n, "note": note, **more}


def run(jobs: Sequence[tuple[Path, Callable[[], None]]], processes: int, clock: Clock) -> None:
    """Run the jobs whose output file does not exist, each in a separate process, until the budget is used up."""
    waiting = [(file, job) for file, job in jobs if not file.exists()]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn, max_tasks_per_child=1) as pool:
        running = set()
        while waiting or running:
            while waiting and len(running) < processes and not clock.is_over:
                file, job = waiting.pop(0)
                print(f"{file.parent.name}: {file.stem}", flush=True)
                running.add(pool.submit(job))
            if not running:
                return
            done, running = wait(running, return_when="FIRST_COMPLETED")
            for one in done:
                one.result()


def network_jobs(
    networks: Sequence[Network], clips: songs.Collection, parted: Sequence[tuple[np.ndarray, np.ndarray]],
    fold: np.ndarray, folder: Path,
) -> list[tuple[Path, Callable[[], None]]]:  # fmt: skip
    """Fits of all networks, seeds and divisions into training and test clips, ordered by seed."""
    found = []
    for seed in range(max(one.seeds for one in networks)):
        for network in (one for one in networks if seed < one.seeds):
            own = replace(clips, values={network.feature_set: clips.values[network.feature_set]})
            for out, (train, test) in enumerate(parted):
                file = folder / f"{network.name.replace(' ', '_')}-{seed}-{out}.npz"
                found.append((file, partial(fit_network, network, own, train, test, fold, seed + 1, file)))
    return found


def answers(clips: songs.Collection, parted: Sequence[tuple[np.ndarray, np.ndarray]], files: Sequence[Sequence[Path]],
            field: str = "scores") -> Answers:  # fmt: skip
    """Predictions of songs by the sum of a field over each song's clips.

    Parameters
    ----------
    clips : the clips.
    parted : divisions into training and test clips.
    files : result files of the divisions, in their order, for each seed.
    field : name of the array in the files.
    """
    said = []
    judged = np.concatenate([test for _, test in parted])
    for seed in files:
        values = np.concatenate([np.load(file)[field] for file in seed])
        total, first = by_song(values, clips.song[judged])
        said.append(total.argmax(axis=1))
    return Answers(clips.y[judged][first], clips.group[judged][first], np.array(said), len(clips.genres))


def complete(folder: Path, network: Network, n_parts: int) -> list[list[Path]]:
    """Result files of the seeds for which all divisions were fitted."""
    name = network.name.replace(" ", "_")
    seeds = [[folder / f"{name}-{seed}-{out}.npz" for out in range(n_parts)] for seed in range(network.seeds)]
    return [files for files in seeds if all(file.exists() for file in files)]


# Order of notes in the recurrent network


def rhythm_order(parsed: argparse.Namespace, clock: Clock, heard: bool) -> dict[str, Any]:
    """Compare the recurrent network on pairs of grooves, on shuffled notes, and on a histogram of the notes.

    Parameters
    ----------
    parsed, clock : command-line arguments and time budget.
    heard : whether notes are detected in the audio; otherwise the composed notes are used.
    """
    name = "rhythm_order" if heard else "rhythm_order_composed"
    section = SandboxSection(
        seed=31, genres=("in turns", "in runs"), sounds="exchanged", artists_per_genre=PAIR_TRAIN + PAIR_TEST,
        songs_per_artist=PAIR_SONGS, broken_files=False,
    )  # fmt: skip
    listed = songs.composed(section, (*range(parsed.pair_artists), *range(PAIR_TRAIN, PAIR_TRAIN + PAIR_TEST)))
    clips: songs.Collection | None
    if heard:
        clips = songs.collect("pairs", listed, ("rhythm_notes", "groove_bars", "groove"), parsed.processes, clock.until)
    else:
        clips = songs.numbered("pairs", listed)
        clips.values["rhythm_notes"] = [songs.composed_notes(one) for one in listed]
    if clips is None:
        return {}
    number = np.array([one.planned.artist_number for one in listed if one.planned])
    parted = [(np.flatnonzero(number < PAIR_TRAIN), np.flatnonzero(number >= PAIR_TRAIN))]
    network = Network("GRU on notes", "gru", "rhythm_notes", PAIR_FIT)
    mixed = replace(network, name="GRU on shuffled notes", shuffled=True)
    others_too = (
        Network("1-D CNN on notes", "cnn_1d", "rhythm_notes", PAIR_FIT),
        Network("GRU on bars", "gru", "groove_bars", {**PAIR_FIT, "columns": "duration+pattern"}),
    )
    networks = (network, mixed, *(one for one in others_too if one.feature_set in clips.values))
    folder = songs.WORK / "fits" / f"{name}_{parsed.pair_artists}"
    fold = number % FOLDS
    run(network_jobs(networks, clips, parted, fold, folder), parsed.processes, clock)
    done = {one.name: complete(folder, one, 1) for one in networks}
    if not (done[network.name] and done[mixed.name]):
        return {}
    counted = np.stack([histogram(one) for one in clips.values["rhythm_notes"]])
    said = {name: answers(clips, parted, files) for name, files in done.items() if files}
    train, test = parted[0]
    order, shuffle = said[network.name], said[mixed.name]
    others = {}
    rows = {"histogram": counted} | ({"groove": clips.hand(("groove",))[0]} if heard else {})
    for what, X in rows.items():
        each = {one: hand_answers(one, X, clips, train, test) for one in MEMBERS}
        best = max(each, key=lambda one, each=each: each[one].figure("accuracy"))
        others[what] = (best, each[best])
    n_songs, n_artists = len(order.y), len(np.unique(order.group))
    about = (
        f"{n_songs} songs of {n_artists} artists, learnt from {len(train)} songs of {2 * parsed.pair_artists} others"
    )
    keys: dict[str, Any] = {}
    listed_keys = ((name, order, "GRU on notes"), (f"{name}_shuffled", shuffle, "GRU on shuffled notes"),
                   *((f"{name}_{key}", said[one.name], one.name)
                     for key, one in zip(("cnn", "bars"), others_too, strict=True) if one.name in said),
                   *((f"{name}_{what}", one, best) for what, (best, one) in others.items()))  # fmt: skip
    for key, one, what in listed_keys:
        value = one.with_interval("accuracy")
        note = f"{what}, {len(one.said)} seeds; {about}" if len(one.said) > 1 else f"{what}; {about}"
        keys[key] = figure(value["value"], "accuracy", n_songs, note, low=value["low"], high=value["high"])
    for what, one in (("shuffled", shuffle), ("histogram", others["histogram"][1])):
        gain = difference("accuracy", order, one)
        keys[f"{name}_over_{what}"] = figure(
            gain["value"], "accuracy", n_artists, "low end of the 95 % interval over artists is to be above 0", 0.0,
            low=gain["low"], high=gain["high"], met=bool(gain["low"] > 0.0),
        )  # fmt: skip
    costs = [np.load(file) for files in done[network.name] for file in files]
    keys["parts"] = {name: {"seconds": float(np.median([one["cpu"] for one in costs])), "about": about}}
    return keys


def hand_answers(
    estimator: str, X: np.ndarray, clips: songs.Collection, train: np.ndarray, test: np.ndarray
) -> Answers:
    """Predictions of an estimator with the stack's parameters on a feature matrix."""
    from genreatlas.models.engines.scikit_learn.sklearn_pipelines import ESTIMATORS, fit_pipeline, make_pipeline
    from genreatlas.models.engines.stacks import stack_facts

    pipeline = make_pipeline(ESTIMATORS[estimator], {"scaler": "standard", **stack_facts.MEMBERS[estimator]}, 7)
    fit_pipeline(pipeline, lambda: np.array(X[train], dtype=np.float32), clips.y[train], None)
    said = np.asarray(pipeline.predict(X[test]))[None]
    return Answers(clips.y[test], clips.group[test], said, len(clips.genres))


# Networks compared with hand-made sets


def composer(parsed: argparse.Namespace, clock: Clock, size: int) -> dict[str, Any]:
    """Results of all models with ``size`` training artists per genre, tested on the songs of other artists."""
    section = SandboxSection(
        seed=29, artists_per_genre=JUDGED.stop, songs_per_artist=SONGS, broken_files=False
    )  # fmt: skip
    listed = songs.composed(section, (*range(size), *JUDGED))
    clips = songs.collect("composer", listed, (*songs.HAND, *songs.SEQUENCES), parsed.processes, clock.until)
    if clips is None:
        return {}
    number = np.array([one.planned.artist_number for one in listed if one.planned])
    parted = [(np.flatnonzero(number < size), np.flatnonzero(number >= size))]
    name = f"composer_{size}"
    return {"parts": {name: judged(parsed, clock, clips, parted, number % FOLDS, name)}}


def real(
    parsed: argparse.Namespace, clock: Clock, name: str, listed: Callable[[Path], list[songs.Clip]]
) -> dict[str, Any]:
    """Results of all models on real music or MIDI, by five-fold cross-validation over songs."""
    from sklearn.model_selection import StratifiedGroupKFold

    clips = songs.collect(name, listed(parsed.data), (*songs.HAND, *songs.SEQUENCES), parsed.processes, clock.until)
    if clips is None:
        return {}
    divided = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=7).split(clips.y, clips.y, clips.group)
    parted = [(np.asarray(train), np.asarray(test)) for train, test in divided]
    fold = np.zeros(len(clips.y), dtype=np.int64)
    for number, (_, test) in enumerate(parted):
        fold[test] = number
    return {"parts": {name: judged(parsed, clock, clips, parted, fold, name)}}


def judged(
    parsed: argparse.Namespace, clock: Clock, clips: songs.Collection,
    parted: Sequence[tuple[np.ndarray, np.ndarray]], fold: np.ndarray, name: str,
) -> dict[str, Any]:  # fmt: skip
    """Run the missing fits, and compute the results of all models."""
    folder = songs.WORK / "fits" / name
    X, columns = clips.hand(songs.HAND)
    hand = [folder / f"hand-{out}.npz" for out in range(len(parted))]
    jobs: list[tuple[Path, Callable[[], None]]] = [
        (file, partial(fit_hand, X, columns, songs.HAND, clips.y, train, test, fold, len(clips.genres), file))
        for file, (train, test) in zip(hand, parted, strict=True)
    ]
    wanted = [one for one in NETWORKS if one.name in parsed.networks]
    run(jobs + network_jobs(wanted, clips, parted, fold, folder), parsed.processes, clock)
    models: dict[str, Any] = {}
    every: dict[str, Answers] = {}
    if all(file.exists() for file in hand):
        stored = np.load(hand[0])
        for model in (one for one in stored.files if one.endswith("sets") or " on " in one):
            every[model] = answers(clips, parted, [hand], model)
            models[model] = {"kind": "stack" if model == STACK else "hand", "seeds": 1}
        cpu = sum(float(np.load(file)["cpu"]) for file in hand)
        models[STACK] |= {"seconds": cpu, "weights": json.loads(str(stored["weights"]))}
    for network in NETWORKS:
        if not (files := complete(folder, network, len(parted))):
            continue
        every[network.name] = answers(clips, parted, files)
        stored_fits = [np.load(file) for seed in files for file in seed]
        history = json.loads(str(stored_fits[0]["history"]))
        models[network.name] = {
            "kind": "network", "seeds": len(files),
            "by_vote": answers(clips, parted, files, "votes").figure("macro_f1"),
            "seconds": float(np.median([float(one["cpu"]) for one in stored_fits])),
            "memory_mb": float(max(float(one["memory_mb"]) for one in stored_fits)),
            "parameters": int(stored_fits[0]["parameters"]),
            "epochs": float(np.median([len(json.loads(str(one["history"]))["loss"]) for one in stored_fits])),
            "history": {key: history[key] for key in ("loss", "held_out", "best")},
        }  # fmt: skip
    for model, one in every.items():
        models[model] |= {"macro_f1": one.with_interval("macro_f1"), "accuracy": one.figure("accuracy"),
                          "f1": dict(zip(clips.genres, one.f1().tolist(), strict=True)),
                          "confusion": np.round(one.confusion(), 2).tolist()}  # fmt: skip
    hands = [model for model in models if models[model]["kind"] == "hand"]
    if hands:
        best = max(hands, key=lambda model: models[model]["macro_f1"]["value"])
        for model in models:
            if models[model]["kind"] == "network":
                models[model]["over_hand"] = difference("macro_f1", every[model], every[best])
    first = next(iter(every.values()), None)
    return {
        "genres": list(clips.genres), "folds": len(parted), "learnt": len(np.unique(clips.song[parted[0][0]])),
        "songs": 0 if first is None else len(first.y), "groups": 0 if first is None else len(np.unique(first.group)),
        "models": models,
    }  # fmt: skip


# Imbalanced genres


def uneven_sizes(n_genres: int) -> list[int]:
    """Number of artists of each genre by rank, by Zipf's law; at least three."""
    return [max(round(COMMONEST / rank), 3) for rank in range(1, n_genres + 1)]


def imbalance(parsed: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """Results of all treatments on genres with 24 to 3 training artists, tested on equal numbers of other artists.

    There are two training libraries; the second has the numbers of artists per genre in reversed order, so that every
    genre is in the rare half once.
    """
    section = SandboxSection(
        seed=29, artists_per_genre=JUDGED.stop, songs_per_artist=SONGS, broken_files=False
    )  # fmt: skip
    every = songs.composed(section, (*range(COMMONEST), *JUDGED))
    genres = songs.numbered("composer", every).genres
    sizes = uneven_sizes(len(genres))
    orders = [dict(zip(genres, one, strict=True)) for one in (sizes, sizes[::-1])]

    def numbered(clip: songs.Clip) -> int:
        assert clip.planned is not None
        return clip.planned.artist_number

    listed = [
        clip for clip in every
        if numbered(clip) in JUDGED or numbered(clip) < max(order[clip.genre] for order in orders)
    ]  # fmt: skip
    sets = tuple(dict.fromkeys(one.feature_set for one in UNEVEN))
    clips = songs.collect("composer", listed, sets, parsed.processes, clock.until)
    if clips is None:
        return {}
    number = np.array([numbered(clip) for clip in listed])
    judged = np.flatnonzero(np.isin(number, JUDGED))
    most = [np.array([order[clip.genre] for clip in listed]) for order in orders]
    parted = [(np.flatnonzero(~np.isin(number, JUDGED) & (number < one)), judged) for one in most]
    folder = songs.WORK / "fits" / "imbalance"
    networks = {
        (one.name, treatment): replace(
            one, name=f"{one.name} {treatment}", params={**one.params, "imbalance": treatment}
        )
        for one in UNEVEN if one.name in parsed.networks for treatment in TREATMENTS
    }  # fmt: skip
    run(network_jobs(list(networks.values()), clips, parted, number % FOLDS, folder), parsed.processes, clock)
    said, rows = {}, []
    # one row per fit, in the order of the predictions: first seed on both libraries, second seed, …
    rare = np.stack([np.arange(len(genres)) >= len(genres) / 2, np.arange(len(genres))[::-1] >= len(genres) / 2])
    for (name, treatment), network in networks.items():
        if not (files := complete(folder, network, len(parted))):
            continue
        fits = [answers(clips, [part], [[file]]) for seed in files for part, file in zip(parted, seed, strict=True)]
        one = replace(fits[0], said=np.concatenate([fit.said for fit in fits]))
        said[name, treatment] = one
        masks = np.tile(rare, (len(files), 1))
        rows.append({
            "network": name, "treatment": treatment, "seeds": len(files),
            "macro_f1": one.with_interval("macro_f1"), "accuracy": one.with_interval("accuracy"),
            "rare": one.recall_of(masks), "common": one.recall_of(~masks),
            "seconds": float(np.median([float(np.load(file)["cpu"]) for seed in files for file in seed])),
        })  # fmt: skip
    for row in rows:
        plain = said.get((row["network"], "none"))
        if plain is not None and row["treatment"] != "none":
            one = said[row["network"], row["treatment"]]
            n = min(len(one.said), len(plain.said))
            pair = (replace(one, said=one.said[:n]), replace(plain, said=plain.said[:n]))
            row["over_none"] = {metric: difference(metric, *pair) for metric in ("macro_f1", "accuracy")}
    if not rows:
        return {}
    about = {"sizes": sizes, "songs_per_artist": SONGS, "learnt": [len(train) for train, _ in parted],
             "judged": len(judged), "groups": len(np.unique(clips.group[judged])), "rows": rows}  # fmt: skip
    return {"parts": {"imbalance": about}}


def headline(parts: dict[str, Any]) -> dict[str, Any]:
    """Results of the best network and the best hand-made model on the largest available composed library."""
    found: dict[str, Any] = {}
    for size in SIZES:
        part = parts.get(f"composer_{size}", {})
        kinds: dict[str, list[str]] = {}
        for model, one in part.get("models", {}).items():
            kinds.setdefault(one["kind"], []).append(model)
        if not {"network", "hand"} <= set(kinds):
            continue
        for key, kind in (("composer_best_network", "network"), ("composer_best_hand", "hand")):
            best = max(kinds[kind], key=lambda model, part=part: part["models"][model]["macro_f1"]["value"])
            value = part["models"][best]["macro_f1"]
            seeds = part["models"][best]["seeds"]
            note = f"{best}; {size} artists a genre" + (f", {seeds} seeds" if seeds > 1 else "")
            found[key] = figure(
                value["value"], "macro-F1", part["songs"], note, low=value["low"], high=value["high"]
            )  # fmt: skip
        worst = min(kinds["network"], key=lambda model, part=part: part["models"][model]["over_hand"]["value"])
        gap = part["models"][worst]["over_hand"]
        found["composer_worst_gap"] = figure(
            gap["value"], "macro-F1", part["groups"], f"{worst} less the best hand-made model; {size} artists a genre",
            -MARGIN, low=gap["low"], high=gap["high"], met=bool(gap["value"] >= -MARGIN),
        )  # fmt: skip
        behind = [one for one in kinds["network"] if part["models"][one]["over_hand"]["value"] < -MARGIN]
        n = len(kinds["network"])
        note = f"of {n} networks; others: {', '.join(sorted(behind)) or 'none'}; {size} artists a genre"
        found["composer_within_margin"] = figure(n - len(behind), "networks", n, note)
    return found


# Stacks on midi5


def midi5_stack(parsed: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """Stacks with and without the pretrained network, evaluated by benchmarks/embeddings.py."""
    import embeddings

    if not (embeddings.WORK / "msd_musicnn.toml").exists():
        print("midi5_stack needs `make embeddings` first", flush=True)
        return {}
    embeddings.register_network()
    found = embeddings.midi5(parsed.data, parsed.processes, clock.until)
    if not found:
        return {}
    about = found["midi5"]
    note = f"{about['repeats']} divisions into {about['folds']} folds, nested"
    keys: dict[str, Any] = {}
    for end in ("", "_hand"):
        gain = found[f"midi5_stack{end}_gain"]
        member = found[f"midi5_best_member{end}"]
        keys[f"midi5_best_member{end}"] = figure(
            member, "macro-F1", about["songs"], f"{found[f'midi5_best_member{end}_name']}; {note}"
        )  # fmt: skip
        keys[f"midi5_stack{end}"] = figure(
            found[f"midi5_stack{end}"], "macro-F1", about["songs"],
            f"{note}; gain {gain['gain']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f}), p {gain['p']:.3f}",
            member + GAIN, gain=gain, met=bool(gain["gain"] >= GAIN),
        )  # fmt: skip
    return keys | {"parts": {"midi5_stack": {"about": note}}}


if __name__ == "__main__":
    main()
