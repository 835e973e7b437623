"""Train a network on crops of songs, in one task and on one thread, and write it as ONNX.

An epoch uses every training song once: a random crop of one of its clips. Songs of some groups of one fold are held
out for early stopping: training ends when their log loss has not fallen for some epochs, and the weights of the best
epoch are kept. Random draws depend on seed and epoch only, so that a run resumed from a checkpoint gives the same
network as an uninterrupted run.

References: Kingma & Ba 2015 (Adam), Loshchilov & Hutter 2019 (decoupled weight decay) and 2017 (cosine schedule);
Menon et al. 2021 (logit adjustment); Zhang et al. 2018 (mixup); Park et al. 2019 (SpecAugment).
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray
from genreatlas.datasets.clip_files import ClipFiles
from genreatlas.models.engines.networks import architectures, onnx_export
from genreatlas.models.engines.networks.onnx_model import FACTS, NetworkModel
from genreatlas.models.engines.networks.snippets import Reading, read_clips, starts
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles
from genreatlas.models.types import Trial
from genreatlas.values import JsonObject

Array = AnyArray

#: Minimum time between two checkpoints, in s.
CHECKPOINT_S = 30.0

#: Prefix of the files with the progress of fits, in the folder of the shards.
RUNNING = "running-"

#: Minimum number of steps of an epoch; with few songs, several crops of each are used.
_LEAST_STEPS = 8

#: Maximum number of windows per clip for the loss of held-out songs, evenly spread.
_JUDGED_WINDOWS = 8

#: In a fit on a single fold, every n-th group is held out.
_EVERY = 6


@dataclass(frozen=True)
class Settings:
    """Settings of the training of a network.

    Attributes
    ----------
    columns, crop_s, crop_rows : input of the network, see :func:`.snippets.read_clips`.
    epochs : maximum number of epochs; the learning rate falls over them to a twentieth (cosine schedule).
    patience : number of epochs without a lower log loss on held-out songs after which training stops.
    batch : number of crops per step.
    learning_rate, weight_decay : parameters of Adam.
    imbalance : treatment of genres of uneven size. ``weights``: songs are weighted inversely to the size of their
        genre; ``logit_adjustment``: logarithms of the genres' shares are added to the logits in training;
        ``resampling``: an epoch draws songs of all genres equally often.
    mixup : parameter of the Beta distribution for mixup of two crops; 0: no mixup.
    spec_augment : whether a range of rows and one of columns are masked in each crop.
    dropout : dropout rate before the last layer.
    """

    columns: str = "all"
    crop_s: float = 5.0
    crop_rows: int | None = None
    epochs: int = 120
    patience: int = 20
    batch: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    imbalance: str = "none"
    mixup: float = 0.0
    spec_augment: bool = False
    dropout: float = 0.3


#: Other default settings by estimator. The defaults gave the lowest log loss of held-out training songs with ten
#: composed artists per genre (docs/networks.md); for the deepest network smaller steps did, and its epochs are long.
_DEFAULTS: dict[str, dict[str, Any]] = {"short_chunk_cnn": {"epochs": 60, "patience": 10, "learning_rate": 1e-3}}


@dataclass
class History:
    """Losses of the epochs so far, and the number of the best epoch, counted from 1."""

    loss: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    best: int = 0

    @property
    def n_epochs(self) -> int:
        """Number of epochs so far."""
        return len(self.loss)

    def to_json(self) -> JsonObject:
        """Return the fields as stored in the model's file."""
        return {"loss": self.loss, "held_out": self.held_out, "best": self.best}


def fit(trial: Trial, files: MatrixFiles, settings: GridSettings, rows: Array) -> tuple[NetworkModel, list[str]]:
    """Train a candidate on some clips; see :meth:`genreatlas.models.engines.task_engine.TaskEngine.fit`.

    Parameters
    ----------
    rows : indices of clips: rows of the matrix of :func:`genreatlas.datasets.sequences.write_sequences`.
    """
    if files.sequences is None:
        raise ValueError("there are no shards to read clips from")
    own = {name: value for name, value in trial.params.items() if name not in ("filters", "units")}
    asked = Settings(**(_DEFAULTS.get(trial.estimator, {}) | own))
    clips = ClipFiles(Path(files.sequences))
    songs = Songs.of(files, settings, rows)
    reading = read_clips(
        lambda number: clips.rows(songs.places[number]), len(rows), clips.features, clips.hop_s,
        asked.columns, asked.crop_s, asked.crop_rows,
    )  # fmt: skip
    params = {**trial.params, "dropout": asked.dropout}
    network = architectures.build(trial.estimator, reading.rows, reading.width, files.n_classes, params, trial.seed)
    key = hashlib.sha256(f"{trial.name} {trial.seed} {settings} {reading}".encode() + np.asarray(rows).tobytes())
    checkpoint = Path(files.sequences) / f"checkpoint-{key.hexdigest()[:24]}.npz"
    told = checkpoint.with_name(f"{RUNNING}{checkpoint.stem}.json")
    try:
        history = Training(network, clips, songs, reading, asked, trial.seed).run(
            checkpoint, lambda history: _tell(told, trial, asked, history)
        )
    finally:
        told.unlink(missing_ok=True)
    facts = {
        "reading": reading.to_json(), "n_classes": files.n_classes, "multi": files.multi, "history": history.to_json(),
        "estimator": trial.estimator, "parameters": int(network.count_params()),
    }  # fmt: skip
    content = onnx_export.to_onnx(network, {FACTS: json.dumps(facts)}, files.multi)
    at = history.best - 1
    note = (
        f"{history.n_epochs} epochs, best {history.best}: loss {history.loss[at]:.3f}, held out "
        f"{history.held_out[at]:.3f}"
    )
    return NetworkModel(content, clips), [note]


@dataclass(frozen=True)
class Songs:
    """Clips of a fit, and their songs.

    Attributes
    ----------
    places : (n_clips, 3) locations of the clips in the shards.
    clips_of : indices of the clips of each song.
    y : (n_songs, n_classes) float32, 1 if the song has the genre.
    weight : (n_songs,) float32.
    held_out : (n_songs,) whether the song is held out for early stopping.
    multi : whether a song may have several genres.
    """

    places: Array
    clips_of: list[Array]
    y: Array
    weight: Array
    held_out: Array
    multi: bool

    @classmethod
    def of(cls, files: MatrixFiles, settings: GridSettings, rows: Array) -> "Songs":
        """Collect the songs of some rows of the matrix."""
        song, fold, group = (np.asarray(files.array(name)[rows]) for name in ("song", "fold", "group"))
        _, first, number = np.unique(song, return_index=True, return_inverse=True)
        y = np.asarray(files.array("y")[rows])[first]
        truth = y.astype(np.float32) if files.multi else np.eye(files.n_classes, dtype=np.float32)[y]
        weight = np.ones(len(first), np.float32)
        if settings.weights:
            weight = np.asarray(files.array("weight")[rows])[first].astype(np.float32)
        order = np.argsort(number, kind="stable")
        clips = np.split(order, np.flatnonzero(np.diff(number[order])) + 1)
        held_out = hold_back(fold[first], group[first])
        return cls(np.asarray(files.array("X")[rows]), clips, truth, weight, held_out, files.multi)


def hold_back(fold: Array, group: Array) -> NDArray[np.bool_]:
    """Choose the songs for early stopping: every second group of the first fold (a fold contains all genres).

    Parameters
    ----------
    fold, group : (n_songs,) fold and group of each song. Groups are not divided, unless there is only one.

    Returns
    -------
    (n_songs,) whether the song is held out.
    """
    groups = np.unique(group)
    pool = np.unique(group[fold == fold.min()])
    chosen = pool[::2] if len(np.unique(fold)) > 1 and len(pool) > 1 else groups[::_EVERY]
    if len(chosen) == len(groups):  # a single group has to be divided
        return np.arange(len(group)) % 2 == 0
    return np.isin(group, chosen)


class Training:
    """Training of one network."""

    def __init__(
        self, network: Any, clips: ClipFiles, songs: Songs, reading: Reading, settings: Settings, seed: int
    ) -> None:
        keras = architectures.get_keras()
        self.network, self.clips, self.songs = network, clips, songs
        self.reading, self.settings, self.seed = reading, settings, seed
        self.mine = np.flatnonzero(~songs.held_out)
        self.steps = max(-(-len(self.mine) // settings.batch), _LEAST_STEPS)
        falling = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate, self.steps * settings.epochs, alpha=0.05
        )
        self.optimizer = keras.optimizers.AdamW(falling, weight_decay=settings.weight_decay)
        self.optimizer.build(network.trainable_variables)
        share = (songs.y * songs.weight[:, None])[self.mine].sum(axis=0)
        share = share / max(float(share.sum()), 1e-9)
        adjusted = settings.imbalance == "logit_adjustment" and not songs.multi
        self.adjustment = np.log(np.maximum(share, 1.0 / (10 * len(self.mine)))).astype(np.float32) * adjusted
        self.of_genre = (
            _even_weights(songs.y, self.mine) if settings.imbalance != "none" else np.ones_like(songs.weight)
        )
        self._step, self._logits = self._compiled()

    def run(self, checkpoint: Path, tell: Callable[[History], None] = lambda history: None) -> History:
        """Train to the end and set the network to the best weights; resumes from the checkpoint if there is one.

        Parameters
        ----------
        checkpoint : file that is written during training and removed at the end.
        tell : called after every epoch.
        """
        state = [np.asarray(variable.value) for variable in self._variables()]
        best, history = [np.asarray(variable.value) for variable in self._in_order()], History()
        if checkpoint.exists():
            state, best, history = _read(checkpoint)
        judged = self._judged()
        saved = time.monotonic()
        while history.n_epochs < self.settings.epochs and not self._is_over(history):
            state, loss = self._epoch(state, history.n_epochs)
            if not np.isfinite(loss):
                raise ValueError(f"training diverged: learning_rate = {self.settings.learning_rate:g} is too large")
            held_out = self._held_out(state, judged)
            history.loss.append(loss)
            history.held_out.append(held_out)
            if held_out <= min(history.held_out):
                history.best = history.n_epochs
                best = [np.asarray(one) for one in state[: len(best)]]
            tell(history)
            if time.monotonic() - saved >= CHECKPOINT_S:
                _write(checkpoint, state, best, history)
                saved = time.monotonic()
        for variable, value in zip(self._in_order(), best, strict=True):
            variable.assign(value)
        checkpoint.unlink(missing_ok=True)
        return history

    def _is_over(self, history: History) -> bool:
        return history.n_epochs - history.best >= self.settings.patience

    def _in_order(self) -> list[Any]:
        return [*self.network.trainable_variables, *self.network.non_trainable_variables]

    def _variables(self) -> list[Any]:
        return [*self._in_order(), *self.optimizer.variables]

    def _compiled(self) -> tuple[Any, Any]:
        """Compile the functions of a training step and of logits; both take all variables as arguments (JAX)."""
        import jax
        import jax.numpy as jnp

        network, optimizer, multi = self.network, self.optimizer, self.songs.multi
        n, m = len(network.trainable_variables), len(network.non_trainable_variables)
        adjustment = self.adjustment

        def loss_of(trainable: Any, other: Any, x: Any, y: Any, weight: Any) -> Any:
            logits, other = network.stateless_call(trainable, other, x, training=True)
            if multi:
                each = (jnp.logaddexp(0.0, logits) - y * logits).mean(axis=-1)
            else:
                each = -(y * jax.nn.log_softmax(logits + adjustment)).sum(axis=-1)
            return (each * weight).sum() / jnp.maximum(weight.sum(), 1e-9), other

        def step(state: Any, x: Any, y: Any, weight: Any) -> Any:
            trainable, other, rest = state[:n], state[n : n + m], state[n + m :]
            (loss, other), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable, other, x, y, weight)
            trainable, rest = optimizer.stateless_apply(rest, gradients, trainable)
            return [*trainable, *other, *rest], loss

        def logits(state: Any, x: Any) -> Any:
            return network.stateless_call(state[:n], state[n : n + m], x, training=False)[0]

        return jax.jit(step), jax.jit(logits)

    def _epoch(self, state: list[Any], epoch: int) -> tuple[list[Any], float]:
        random = np.random.default_rng([self.seed, epoch])
        total = 0.0
        for x, y, weight in self._batches(random):
            state, loss = self._step(state, x, y, weight)
            total += float(loss)
        return state, total / self.steps

    def _batches(self, random: np.random.Generator) -> Iterator[tuple[Array, Array, Array]]:
        """Batches of crops for an epoch, all of the same size."""
        size, songs, settings = self.settings.batch, self.songs, self.settings
        n = self.steps * size
        if settings.imbalance == "resampling":
            chance = self.of_genre[self.mine] / self.of_genre[self.mine].sum()
            order = random.choice(self.mine, size=n, p=chance)
        else:
            order = np.concatenate([random.permutation(self.mine) for _ in range(-(-n // len(self.mine)))])[:n]
        weights = songs.weight * (self.of_genre if settings.imbalance == "weights" else 1.0)
        for at in range(0, n, size):
            chosen = order[at : at + size]
            x = np.stack([self._crop(random, song) for song in chosen])
            y, weight = songs.y[chosen], weights[chosen].astype(np.float32)
            if settings.spec_augment:
                _blank(x, random)
            if settings.mixup:
                x, y = _mixed(x, y, settings.mixup, random)
            yield x, y, weight

    def _crop(self, random: np.random.Generator, song: int) -> Array:
        clips = self.songs.clips_of[song]
        place = self.songs.places[clips[random.integers(len(clips))]]
        first = int(random.integers(max(1, int(place[2]) - self.reading.rows + 1)))
        return self.reading.window(self.clips.rows(place, first, self.reading.rows))

    def _judged(self) -> tuple[Array, Array]:
        """Windows (song index, clip index, first row) of held-out songs, and the indices of these songs."""
        found = []
        for song in np.flatnonzero(self.songs.held_out):
            for clip in self.songs.clips_of[song]:
                first = starts(int(self.songs.places[clip][2]), self.reading.rows)
                some = np.unique(np.linspace(0, len(first) - 1, min(len(first), _JUDGED_WINDOWS)).astype(int))
                found += [(int(song), int(clip), first[one]) for one in some]
        windows = np.array(found, dtype=np.int64)
        return windows, np.unique(windows[:, 0])

    def _held_out(self, state: Sequence[Any], judged: tuple[Array, Array]) -> float:
        """Log loss of held-out songs, by the mean probability of their windows."""
        windows, songs = judged
        size = self.settings.batch
        sums = np.zeros((len(songs), self.songs.y.shape[1]))
        place = np.searchsorted(songs, windows[:, 0])
        for at in range(0, len(windows), size):
            part = windows[at : at + size]
            x = np.stack([
                self.reading.window(self.clips.rows(self.songs.places[clip], first, self.reading.rows))
                for _, clip, first in part
            ])  # fmt: skip
            full = np.concatenate([x, np.zeros((size - len(x), *x.shape[1:]), np.float32)])
            logits = np.asarray(self._logits(list(state), full), dtype=np.float64)[: len(part)]
            np.add.at(sums, place[at : at + size], _probabilities(logits, self.songs.multi))
        means = sums / np.bincount(place, minlength=len(songs))[:, None]
        y, weight = self.songs.y[songs], (self.songs.weight * self.of_genre)[songs]
        means = np.clip(means, 1e-7, 1.0 - 1e-7)
        each = -(y * np.log(means)).sum(axis=1)
        if self.songs.multi:
            each = -(y * np.log(means) + (1.0 - y) * np.log1p(-means)).mean(axis=1)
        return float((each * weight).sum() / max(float(weight.sum()), 1e-9))


def _even_weights(y: Array, mine: Array) -> Array:
    """Weights (n_songs,) with the same sum for every genre of the training songs, and mean 1."""
    counts = np.maximum(y[mine].sum(axis=0), 1.0)
    weight = (y / counts).sum(axis=1) / np.maximum(y.sum(axis=1), 1.0)
    return np.asarray(weight / weight[mine].mean(), dtype=np.float32)


def _blank(x: Array, random: np.random.Generator) -> None:
    """SpecAugment: set up to a quarter of the rows and of the columns of each crop to 0, the mean."""
    rows, width = x.shape[1:]
    for crop in x:
        for axis, size in ((0, rows), (1, width)):
            length = int(random.integers(0, max(1, size // 4) + 1))
            first = int(random.integers(0, size - length + 1))
            crop[(slice(first, first + length), slice(None))[:: 1 if axis == 0 else -1]] = 0.0


def _mixed(x: Array, y: Array, alpha: float, random: np.random.Generator) -> tuple[Array, Array]:
    """Mixup: mix each crop and its labels with another crop of the batch."""
    other = random.permutation(len(x))
    share = random.beta(alpha, alpha, len(x)).astype(np.float32)
    share = np.maximum(share, 1.0 - share)
    by_crop = share[:, None, None]
    return by_crop * x + (1 - by_crop) * x[other], share[:, None] * y + (1 - share[:, None]) * y[other]


def _probabilities(logits: Array, multi: bool) -> Array:
    if multi:
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -80, 80))))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _tell(path: Path, trial: Trial, settings: Settings, history: History) -> None:
    """Write the progress of a fit to a file that the driver reads."""
    line = (
        f"{trial.estimator} epoch {history.n_epochs} of {settings.epochs}: loss {history.loss[-1]:.3f}, held out "
        f"{history.held_out[-1]:.3f}"
    )
    partly = path.with_suffix(".part")
    partly.write_text(json.dumps({"line": line}), encoding="utf-8")
    partly.replace(path)


def _write(path: Path, state: Sequence[Any], best: Sequence[Any], history: History) -> None:
    """Write a checkpoint atomically."""
    arrays = {f"s{n}": np.asarray(one) for n, one in enumerate(state)}
    arrays |= {f"b{n}": np.asarray(one) for n, one in enumerate(best)}
    partly = path.with_name(f".{path.name}")
    with partly.open("wb") as file:
        np.savez(file, history=np.array(json.dumps(history.to_json())), **arrays)  # type: ignore[arg-type]
    partly.replace(path)


def _read(path: Path) -> tuple[list[Array], list[Array], History]:
    with np.load(path, allow_pickle=False) as stored:
        states = sum(name.startswith("s") for name in stored.files)
        bests = sum(name.startswith("b") for name in stored.files)
        history = History(**json.loads(str(stored["history"])))
        return [stored[f"s{n}"] for n in range(states)], [stored[f"b{n}"] for n in range(bests)], history
