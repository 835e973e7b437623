"""What the page shows, as plain frames: the only thing that pictures and templates know of."""

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

    ``samples`` is (n,) float32 mono, or None where the file could not be read; ``problem`` then says why.
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
    """Audio of one song, ready for the page; without ``source`` the page names file and times."""

    song_id: str
    source: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Playlist:
    """One playlist.

    Attributes
    ----------
    name, n_songs, seconds : as in ``generated_playlists``; seconds may be None.
    links : kind of file and relative address of each file that is there.
    songs : position, called, reason, seconds of its first songs; of the playlist that is shown alone.
    notes : what the step said of it.
    """

    name: str
    n_songs: int
    seconds: float | None
    links: Sequence[tuple[str, str]] = ()
    songs: Sequence[RowView] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class TopicSong:
    """A song to hear a topic in.

    Attributes
    ----------
    called : artist and title.
    share : of the topic.
    path, start_s, length_s : of its first clip; None where there is none.
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
    feature_set : that holds its shares.
    number, share : as in ``topics``.
    genres : name, share and lift of the genres in which it is largest.
    songs : in which it is largest.
    """

    feature_set: str
    number: int
    share: float
    genres: Sequence[tuple[str, float, float]] = ()
    songs: Sequence[TopicSong] = ()


@dataclass(frozen=True)
class Copies:
    """Copies of recordings, as their fingerprints told.

    Attributes
    ----------
    n_clips : clips that were compared.
    n_copies, n_recordings : songs that are copies, and recordings that these are of.
    kinds : kind, n, song, other, evidence: songs of each kind of link, with the names of one example.
    genres : genre, n_songs, n_recordings, n_doubles of genres that have doubles, those with the most first; by
        fingerprint, ISRC and equal sound.
    n_genres : genres that have doubles.
    bridging : recording, n_copies, places of some recordings that lie in several parts or folds of the split.
    n_bridging : all of them.
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
        """Songs that are one too many."""
        return self.n_copies - self.n_recordings


@dataclass(frozen=True)
class ReportData:
    """Frames behind the page, each small however large the store is.

    Attributes
    ----------
    title : heading of the page.
    part : part of the split that the metrics judge.
    metric, level, labels : of the configuration; they choose the board that comes first.
    max_genres : genres in pictures.
    importance_features : most features whose importance is measured.
    n_features : numeric features of the drawn set, of which ``features`` and ``sample`` may have a part.
    min_groups, min_bootstrap_groups : groups below which a proportion, and any other score, has no interval.
    versions : table = Delta version that was read.
    library : songs, clips, hours, artists, genres = how many.
    genres : genre_id, genre, n_songs, n_clips, hours, n_train, n_promotion, n_test, n_excluded; largest first.
    n_genres_left_out : genres of the library that ``genres`` has no row for.
    losses : rows of ``training_genres`` of the best model's data set, of genres that lost songs.
    quarantine : stage, reason, n, path, detail (one example each).
    parts : part, n_songs, n_groups.
    grouped_by : grouped_by, n_groups.
    networks : feature_set, set_version, taught of sets that pretrained networks made.
    featured : share of test songs that feature somebody who performs a training song; None where it is not known.
    excluded : reason, n of songs that a split leaves out.
    experiments : rows of ``experiments``, best first.
    candidate_counts : status, n over all candidates.
    models : rows of ``models``.
    scores : rows of ``metrics`` for all genres together.
    genre_scores, confusion, importances : rows of ``metrics`` of the models that are shown closely;
        ``confusion`` has also ``total``, the songs of the true genre.
    families : family (its name), by (parent or name), n_genres, n_songs, recognised, in_family: of the songs of a
        family the shares whose genre, and whose family, the best model names; largest first.
    taken_for : genre_id, other, value: what songs of each genre are taken for most often by the best model.
    reliability : rows of ``reliability`` of the best model that is shown closely.
    losses_of : model_id = losses of the epochs in which it was trained, of models that have them.
    comparisons : p-values and differences of ``metrics`` between the shown models.
    confused : wrong predictions, most confident first, with title, artist, path, start_s, length_s.
    durations : genre_id, n, low, q1, median, q3, high of source durations in seconds.
    features : feature, unit, kind of the feature set that is drawn.
    feature_set : its name; empty where there is none.
    sample : _genre_id, _part and the features of a seeded sample of its rows.
    n_feature_rows : rows that the sample was drawn from.
    genre_names : genre_id = name.
    sounds, players : decoded clips and audio for the page.
    decisions : rows of ``promotions`` on the alias in use, newest first.
    drift : rows of ``drift`` of the model in use; the sums over genres first, then the largest.
    runs : rows of ``runs``: the last run of each step that wrote something.
    configuration : the configuration as TOML.
    map : the map of genres, which has a page of its own; None where none was drawn.
    similar : song_id of ``sounds`` = names of its nearest songs by others.
    playlists : the present ones; the first has its songs.
    probes : rows of ``probes`` over all genres, one an experiment and feature set.
    copies : copies of recordings; None where no fingerprints were compared.
    topics : topics of the last fit, the largest first.
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
        """The genre's name as shown to people."""
        return self.genre_names.get(genre_id, genre_id)
