"""Data of the report as pandas frames: the only input of pictures and templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from genreatlas.models.engines.protocol import Losses
from genreatlas.report.map_data import MapData
from genreatlas.values import RowView


def empty(*columns: str) -> pd.DataFrame:
    """A frame without rows."""
    return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})


@dataclass(frozen=True)
class Sound:
    """One decoded clip, for its waveform and spectrogram.

    ``samples`` is (n,) float32 mono, or None if the file could not be read; ``problem`` is then the reason.
    """

    genre_id: str
    song_id: str
    title: str
    samples: np.ndarray | None
    sample_rate: int
    start_s: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class Player:
    """Audio of one song for the page: ``source`` is a URI; if empty, the page shows path and times instead."""

    song_id: str
    source: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Playlist:
    """One playlist.

    Attributes
    ----------
    name, n_songs, seconds : as in ``generated_playlists``; seconds may be None.
    links : format and relative address of each existing file.
    songs : position, called (artist and title), reason and seconds of its first songs; only for the first playlist.
    notes : remarks of the step that made it.
    """

    name: str
    n_songs: int
    seconds: float | None
    links: Sequence[tuple[str, str]] = ()
    songs: Sequence[RowView] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class TopicSong:
    """An example song of a topic.

    Attributes
    ----------
    called : artist and title.
    share : share of the topic in the song, 0 to 1.
    path, start_s, length_s : path, start and length (s) of its first clip; None if it has no clip.
    """

    song_id: str
    called: str
    share: float
    path: str | None = None
    start_s: float | None = None
    length_s: float | None = None


@dataclass(frozen=True)
class Topic:
    """A topic of audio words.

    Attributes
    ----------
    feature_set : feature set with the shares of topics.
    number, share : as in the table ``topics``.
    genres : name, share and lift of the genres in which its share is largest.
    songs : songs in which its share is largest.
    """

    feature_set: str
    number: int
    share: float
    genres: Sequence[tuple[str, float, float]] = ()
    songs: Sequence[TopicSong] = ()


@dataclass(frozen=True)
class Copies:
    """Copies of recordings found by fingerprints.

    Attributes
    ----------
    n_clips : number of compared clips.
    n_copies, n_recordings : number of songs that are copies, and of the recordings of these songs.
    kinds : kind, n, song, other, evidence: number of songs by kind of link, with one example.
    genres : genre, n_songs, n_recordings, n_doubles of genres that have doubles, in descending order of doubles; by
        fingerprint, ISRC and equal audio.
    n_genres : number of genres that have doubles.
    bridging : recording, n_copies, places of some recordings that are in several parts or folds of the split.
    n_bridging : total number of such recordings.
    """

    n_clips: int
    n_copies: int
    n_recordings: int
    kinds: pd.DataFrame = field(default_factory=lambda: empty("kind", "n", "song", "other", "evidence"))
    genres: pd.DataFrame = field(default_factory=lambda: empty("genre", "n_songs", "n_recordings", "n_doubles"))
    n_genres: int = 0
    bridging: pd.DataFrame = field(default_factory=lambda: empty("recording", "n_copies", "places"))
    n_bridging: int = 0

    @property
    def n_doubles(self) -> int:
        """Number of copies beyond the first of each recording."""
        return self.n_copies - self.n_recordings


@dataclass(frozen=True)
class ReportData:
    """All data of the report; the size of the frames is bounded, however large the store is.

    Attributes
    ----------
    title : heading of the page.
    part : part of the split that the models are evaluated on.
    metric, level, labels : keys of ``[train]``; they select the first board.
    max_genres : maximum number of genres in pictures.
    importance_features : maximum number of features whose importance is measured.
    n_features : number of numeric features of the drawn set; ``features`` and ``sample`` may have a subset.
    min_groups, min_bootstrap_groups : minimum number of groups for the interval of a proportion, and of other scores.
    versions : Delta version by table that was read.
    library : numbers of songs, clips, hours, artists, genres.
    genres : genre_id, genre, n_songs, n_clips, hours, n_train, n_promotion, n_test, n_excluded; largest first.
    n_genres_left_out : number of genres of the library without a row in ``genres``.
    losses : rows of ``training_genres`` of the best model's data set, for genres with dropped songs.
    quarantine : stage, reason, n, path, detail (of one example).
    parts : part, n_songs, n_groups.
    grouped_by : grouped_by, n_groups.
    networks : feature_set, set_version, taught of sets computed by pretrained networks.
    featured : share of test songs that feature a performer of a training song; None if unknown.
    excluded : reason, n of songs that the split leaves out.
    experiments : rows of ``experiments``, best first.
    candidate_counts : status, n over all candidates.
    models : rows of ``models``.
    scores : rows of ``metrics`` over all genres.
    genre_scores, confusion, importances : rows of ``metrics`` of the models shown in detail;
        ``confusion`` also has ``total``, the number of songs of the true genre.
    families : family (name), by (parent or name), n_genres, n_songs, recognised, in_family: shares of the songs of a
        family whose genre, and whose family, the best model predicts; largest first.
    taken_for : genre_id, other, value: most frequent wrong predictions of the best model by true genre.
    reliability : rows of ``reliability`` of the best model.
    losses_of : training losses per epoch by model_id, for models that store them.
    comparisons : rows of ``metrics`` with p-values and differences between the shown models.
    confused : wrong predictions, most confident first, with title, artist, path, start_s, length_s.
    durations : genre_id, n, low, q1, median, q3, high of source durations in seconds.
    features : feature, unit, kind of the drawn feature set.
    feature_set : name of the drawn feature set; empty if there is none.
    sample : _genre_id, _part and the features of a seeded sample of rows of the drawn set.
    n_feature_rows : number of rows that the sample was drawn from.
    genre_names : name by genre_id.
    sounds, players : decoded clips for pictures, and audio for the page by song_id.
    decisions : rows of ``promotions`` for the alias in use, newest first.
    drift : rows of ``drift`` of the model in use; sums over genres first, then the largest values.
    runs : rows of ``runs``: for each step its last run that wrote something.
    configuration : the configuration as TOML.
    map : the map of genres, which has its own page; None if there is none.
    similar : names of the nearest songs by other artists, by song_id of ``sounds``.
    playlists : the newest playlist of each name; the first includes its songs.
    probes : rows of ``probes`` over all genres, one per experiment and feature set.
    copies : copies of recordings; None if no fingerprints were compared.
    topics : topics of the last fit, largest first.
    """

    title: str = "Genre Atlas"
    part: str = "test"
    metric: str = "macro_f1"
    level: str = "genre"
    labels: str = "drop"
    max_genres: int = 16
    min_groups: int = 5
    min_bootstrap_groups: int = 30
    n_features: int = 0
    importance_features: int = 200
    seed: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)
    library: Mapping[str, float] = field(default_factory=dict)
    genres: pd.DataFrame = field(default_factory=lambda: empty("genre_id", "genre", "n_songs"))
    n_genres_left_out: int = 0
    losses: pd.DataFrame = field(default_factory=lambda: empty("genre_id", "genre", "songs", "kept", "why"))
    quarantine: pd.DataFrame = field(default_factory=lambda: empty("stage", "reason", "n", "path", "detail"))
    parts: pd.DataFrame = field(default_factory=lambda: empty("part", "n_songs", "n_groups"))
    grouped_by: pd.DataFrame = field(default_factory=lambda: empty("grouped_by", "n_groups"))
    networks: pd.DataFrame = field(default_factory=lambda: empty("feature_set", "set_version", "taught"))
    featured: float | None = None
    excluded: pd.DataFrame = field(default_factory=lambda: empty("reason", "n"))
    experiments: pd.DataFrame = field(default_factory=lambda: empty("experiment_id", "status"))
    candidate_counts: pd.DataFrame = field(default_factory=lambda: empty("status", "n"))
    models: pd.DataFrame = field(default_factory=lambda: empty("model_id"))
    scores: pd.DataFrame = field(default_factory=lambda: empty("model_id", "unit", "metric", "value"))
    genre_scores: pd.DataFrame = field(default_factory=lambda: empty("model_id", "metric", "genre_id", "value"))
    confusion: pd.DataFrame = field(default_factory=lambda: empty("model_id", "genre_id", "other", "value"))
    families: pd.DataFrame = field(default_factory=lambda: empty("family", "by", "n_genres", "n_songs"))
    taken_for: pd.DataFrame = field(default_factory=lambda: empty("genre_id", "other", "value"))
    reliability: pd.DataFrame = field(default_factory=lambda: empty("model_id", "genre_id", "bin"))
    losses_of: Mapping[str, Losses] = field(default_factory=dict)
    importances: pd.DataFrame = field(default_factory=lambda: empty("model_id", "metric", "other", "value"))
    comparisons: pd.DataFrame = field(default_factory=lambda: empty("model_id", "other", "metric", "value"))
    confused: pd.DataFrame = field(default_factory=lambda: empty("model_id", "song_id"))
    durations: pd.DataFrame = field(default_factory=lambda: empty("genre_id", "median"))
    features: pd.DataFrame = field(default_factory=lambda: empty("feature", "unit", "kind"))
    feature_set: str = ""
    sample: pd.DataFrame = field(default_factory=lambda: empty("_genre_id", "_part"))
    n_feature_rows: int = 0
    genre_names: Mapping[str, str] = field(default_factory=dict)
    sounds: tuple[Sound, ...] = ()
    players: Mapping[str, Player] = field(default_factory=dict)
    decisions: pd.DataFrame = field(default_factory=lambda: empty("alias", "sequence", "model_id"))
    drift: pd.DataFrame = field(default_factory=lambda: empty("model_id", "name", "psi"))
    runs: pd.DataFrame = field(default_factory=lambda: empty("run_id", "step"))
    configuration: str = ""
    map: MapData | None = None
    similar: Mapping[str, Sequence[str]] = field(default_factory=dict)
    playlists: Sequence[Playlist] = ()
    probes: pd.DataFrame = field(default_factory=lambda: empty("kind", "name", "feature_set", "value"))
    copies: Copies | None = None
    topics: Sequence[Topic] = ()

    def name(self, genre_id: str) -> str:
        """Display name of a genre."""
        return self.genre_names.get(genre_id, genre_id)
