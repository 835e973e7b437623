"""Fits of networks and of models on hand-made sets, and scores computed from their predictions."""

import json
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from networks_songs import Collection

from genreatlas.metrics import group_weights, interval
from genreatlas.metrics.figures import accuracy, f1, macro_f1, totals_of

#: Number of bootstrap samples of groups.
SAMPLES = 2000
MEMBERS = ("logistic_regression", "svc")


@dataclass(frozen=True)
class Network:
    """A network to evaluate: estimator, feature set, parameters, and number of seeds."""

    name: str
    estimator: str
    feature_set: str
    params: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 5
    shuffled: bool = False


def fit_network(network: Network, clips: Collection, train: np.ndarray, test: np.ndarray, fold: np.ndarray,
                seed: int, file: Path) -> None:  # fmt: skip
    """Train on some clips, predict others, and store the predictions in a file.

    Parameters
    ----------
    network : the network.
    clips : the clips.
    train, test : indices of clips.
    fold : (n_clips,) fold of each clip; the first fold of the training clips is used for early stopping.
    seed : random seed.
    file : output file.
    """
    from threadpoolctl import threadpool_limits

    from genreatlas.datasets.clip_files import ClipFiles
    from genreatlas.models.engines.networks import network_fits
    from genreatlas.models.engines.networks.snippets import scores_of_clips
    from genreatlas.models.engines.task_fits import GridSettings
    from genreatlas.models.types import Trial

    trial = Trial(network.name, "networks", network.estimator, network.feature_set, dict(network.params), seed)
    with tempfile.TemporaryDirectory(prefix="networks-") as folder, threadpool_limits(1):
        files = clips.files(network.feature_set, fold, Path(folder), shuffled if network.shuffled else None)
        start, cpu = time.perf_counter(), time.process_time()
        model, _ = network_fits.fit(trial, files, GridSettings("macro_f1", False, False), train)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        shards, X = ClipFiles(Path(folder)), files.array("X")
        parts = [lambda place=X[number]: shards.rows(place) for number in test]
        _, found = scores_of_clips(model.reading, model.scores, parts, model.n_classes)
    said = {
        "scores": np.stack([one.mean(axis=0) for one in found]),
        "votes": np.stack([np.bincount(one.argmax(axis=1), minlength=model.n_classes) for one in found]),
        "seconds": seconds, "cpu": cpu, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "history": json.dumps(dict(model.history)),
        "parameters": json.loads(model._open().get_modelmeta().custom_metadata_map["genreatlas"])["parameters"],
    }  # fmt: skip
    keep(file, said)


def shuffled(number: int, values: np.ndarray) -> np.ndarray:
    """Shuffle a clip's notes; each keeps the pause before it, its phase, strength, band and pitch.

    Times are recomputed from the pauses, so that the set of encoded notes is unchanged and only the order differs.
    """
    order = np.random.default_rng([11, number]).permutation(len(values))
    if not len(values):
        return values
    pauses = np.diff(values[:, 0], prepend=values[:1, 0])
    mixed = values[order]
    mixed[:, 0] = np.cumsum(pauses[order])
    return mixed


def histogram(notes: np.ndarray) -> np.ndarray:
    """Histogram of a clip's notes, independent of their order: joint shares of band and beat phase (sixteenths of a
    beat), joint shares of band and pause (sixteenths of a second), shares of pitch classes; mean strength by band.
    """  # fmt: skip
    if not len(notes):
        return np.zeros(3 * 17 + 3 * 17 + 13 + 3, np.float32)
    time_, phase, strength, band, pitch = notes.T
    band = band.astype(int)
    sixteenth = np.where(np.isnan(phase), 16, np.floor(np.nan_to_num(phase) * 16 + 0.5) % 16).astype(int)
    pause = np.clip(np.rint(np.diff(time_, prepend=time_[:1]) * 16), 0, 16).astype(int)
    known = np.where(np.isnan(pitch), 12, np.nan_to_num(pitch)).astype(int)
    counts = [np.bincount(band * 17 + sixteenth, minlength=51), np.bincount(band * 17 + pause, minlength=51),
              np.bincount(known, minlength=13)]  # fmt: skip
    means = [np.nan_to_num(strength)[band == one].mean() if (band == one).any() else 0.0 for one in range(3)]
    return np.concatenate([*(one / len(notes) for one in counts), means]).astype(np.float32)


def fit_hand(
    X: np.ndarray, columns: Sequence[str], sets: Sequence[str], y: np.ndarray, train: np.ndarray, test: np.ndarray,
    fold: np.ndarray, n_classes: int, file: Path,
) -> None:  # fmt: skip
    """Fit logistic regression and SVM on each hand-made set, and a stack of them; store all predictions in one file."""
    from genreatlas.models.engines.stacks.stack_models import fit_stack, members_of_trial
    from genreatlas.models.types import Trial

    start, cpu = time.perf_counter(), time.process_time()
    trial = Trial("", "stack", "weighted", "+".join(sets), {"members": list(MEMBERS)}, 7)
    members = members_of_trial(trial, columns)
    model, _ = fit_stack(members, X[train], y[train], fold[train], n_classes)
    said = {"stack of hand-made sets": model.scores(X[test])}
    said |= {part.name: part.model.scores(X[test][:, part.columns]) for part in model.parts}
    weights = json.dumps({part.name: float(w) for part, w in zip(model.parts, model.weights, strict=True)})
    keep(file, said | {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "weights": weights})


def keep(file: Path, said: Mapping[str, Any]) -> None:
    """Write predictions atomically."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partly = file.with_suffix(".part")
    with partly.open("wb") as out:
        np.savez(out, **said)
    partly.replace(file)


@dataclass
class Answers:
    """Predicted genres of test songs by one model, for each seed.

    Attributes
    ----------
    y, group : (n_songs,) genre and group of the songs.
    said : (n_seeds, n_songs) predicted genres.
    """

    y: np.ndarray
    group: np.ndarray
    said: np.ndarray
    n_classes: int

    def totals(self) -> np.ndarray:
        """Numbers of correct, predicted and true songs per group, (n_seeds, n_groups, 3, n_classes)."""
        names, place = np.unique(self.group, return_inverse=True)
        found = np.zeros((len(self.said), len(names), 3, self.n_classes))
        for seed, one in enumerate(self.said):
            for number in range(len(names)):
                mine = place == number
                found[seed, number] = totals_of(self.y[mine], one[mine], self.n_classes)
        return found

    def figure(self, metric: str) -> float:
        """Mean of a metric over seeds."""
        return float(_figure(metric, self.totals().sum(axis=1)).mean())

    def with_interval(self, metric: str) -> dict[str, float]:
        """Mean over seeds, with a 95 % bootstrap interval over groups."""
        totals = self.totals()
        value = float(_figure(metric, totals.sum(axis=1)).mean())
        # macro-F1 is biased downwards in bootstrap samples: see genreatlas.metrics.intervals
        low, high = interval(_resampled(metric, totals), around=value if metric == "macro_f1" else None)
        return {"value": value, "low": float(low), "high": float(high)}

    def f1(self) -> np.ndarray:
        """(n_classes,) F1 of each genre, mean over seeds."""
        return np.asarray(f1(*np.moveaxis(self.totals().sum(axis=1), 1, 0)).mean(axis=0))

    def recall_of(self, genres: np.ndarray) -> dict[str, float]:
        """Mean recall of some genres, averaged over seeds, with a 95 % bootstrap interval over groups.

        Parameters
        ----------
        genres : (n_seeds, n_classes) bool, selected genres for each seed.
        """
        totals = self.totals()
        value = float(_recall(totals.sum(axis=1), genres).mean())
        low, high = interval(_resampled(partial(_recall, genres=genres), totals))
        return {"value": value, "low": float(low), "high": float(high)}

    def confusion(self) -> np.ndarray:
        """Confusion matrix (n_classes, n_classes), true by predicted genre, averaged over seeds."""
        found = np.zeros((self.n_classes, self.n_classes))
        for one in self.said:
            np.add.at(found, (self.y, one), 1.0 / len(self.said))
        return found


def difference(metric: str, first: Answers, second: Answers) -> dict[str, float]:
    """Difference of the means over seeds (first minus second), with a 95 % paired bootstrap interval over groups."""
    one, other = first.totals(), second.totals()
    value = first.figure(metric) - second.figure(metric)
    low, high = interval(_resampled(metric, one) - _resampled(metric, other))
    return {"value": value, "low": float(low), "high": float(high)}


def _figure(metric: str, totals: np.ndarray) -> np.ndarray:
    right, called, support = np.moveaxis(totals, -2, 0)
    return np.asarray(accuracy(right, support) if metric == "accuracy" else macro_f1(right, called, support))


def _recall(totals: np.ndarray, genres: np.ndarray) -> np.ndarray:
    """Mean recall over the selected genres that have songs; the leading axes of ``totals`` are kept, the last of them
    is the seed.
    """
    right, _, support = np.moveaxis(totals, -2, 0)
    counted = genres & (support > 0)
    recalls = np.divide(right, support, out=np.zeros_like(right), where=counted)
    return np.asarray(recalls.sum(axis=-1) / np.maximum(counted.sum(axis=-1), 1))


def _resampled(metric: str | Callable[[np.ndarray], np.ndarray], totals: np.ndarray) -> np.ndarray:
    """Bootstrap values (n_samples,) of a metric, given by name or as a function of totals, averaged over seeds."""
    figure = partial(_figure, metric) if isinstance(metric, str) else metric
    found = []
    for weights in group_weights(totals.shape[1], SAMPLES, 7):
        drawn = np.einsum("gs,kgtc->sktc", weights, totals)
        found.append(figure(drawn).mean(axis=1))
    return np.concatenate(found)


def by_song(values: np.ndarray, song: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the clips' values by song, and index of the first clip of each song."""
    _, first, place = np.unique(song, return_index=True, return_inverse=True)
    total = np.zeros((len(first), values.shape[1]))
    np.add.at(total, place, values)
    return total, first
