"""Draw all pictures of the report from its data."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from genreatlas.ids import stable_id
from genreatlas.models.engines import baselines
from genreatlas.report import plots, plots_map, plots_matrices, views
from genreatlas.report.boards import METRICS, Board, model_name, model_note
from genreatlas.report.data import ReportData
from genreatlas.report.number_formats import score
from genreatlas.report.plots_losses import training_curve
from genreatlas.report.plots_reliability import reliability_diagram
from genreatlas.report.svg import Figure

#: Maximum features of a correlation matrix; larger ones are unreadable.
_MOST_FEATURES = 60


@dataclass(frozen=True)
class SoundCard:
    """Waveform and spectrogram of one song; ``spectrogram`` is a data URI."""

    genre: str
    title: str
    song_id: str
    start_s: float
    seconds: float
    sample_rate: int
    waveform: Figure | None
    spectrogram: str
    problem: str


@dataclass
class Pictures:
    """Figures by section of the page; None or empty if there is nothing to draw."""

    leaderboard: Figure | None = None
    confusion: list[tuple[pd.Series, Figure, pd.DataFrame]] = field(default_factory=list)
    reliability: Figure | None = None
    importances: list[tuple[pd.Series, str, Figure]] = field(default_factory=list)
    losses: list[tuple[pd.Series, Figure]] = field(default_factory=list)
    tree: Figure | None = None
    ridges: list[Figure] = field(default_factory=list)
    correlation: Figure | None = None
    correlation_pairs: pd.DataFrame = field(default_factory=pd.DataFrame)
    genre_correlation: Figure | None = None
    genre_pairs: pd.DataFrame = field(default_factory=pd.DataFrame)
    durations: Figure | None = None
    map: Figure | None = None
    sounds: list[SoundCard] = field(default_factory=list)

    @property
    def figures(self) -> list[Figure]:
        """All SVG figures, to be written as files."""
        single = [self.leaderboard, self.reliability, self.tree]
        single += [self.correlation, self.genre_correlation, self.durations, self.map]
        many = [figure for _, figure, _ in self.confusion] + [figure for _, _, figure in self.importances]
        many += [figure for _, figure in self.losses]
        waves = [card.waveform for card in self.sounds]
        return [figure for figure in [*single, *many, *self.ridges, *waves] if figure is not None]


def draw(data: ReportData, board: Board | None) -> Pictures:
    """Draw all pictures for which there are data."""
    pictures = Pictures()
    classes: Sequence[str] = ()
    if board is not None:
        close = board.shown_closely
        classes = list(close[0]["classes"]) if close else ()
        _scores(pictures, data, board)
        _confusion(pictures, data, close)
        _importances(pictures, data, board)
        _losses(pictures, data, board)
        bins = data.reliability[(data.reliability["genre_id"] == "*") & (data.reliability["bin"] > 0)]
        if len(bins):
            pictures.reliability = reliability_diagram("reliability", bins.sort_values("bin"))
    genres = views.shown_genres(data, classes)
    _features(pictures, data, genres, board)
    durations = data.durations[data.durations["genre_id"].isin(genres)]
    if len(durations):
        order = durations.set_index("genre_id").reindex([g for g in genres if g in set(durations["genre_id"])])
        pictures.durations = plots.duration_boxes("durations", order.reset_index(), data.genre_names)
    if data.map is not None and data.map.lenses:
        pictures.map = plots_map.map_picture(data.map)
    pictures.sounds = [_card(index, data) for index in range(min(len(data.sounds), data.max_genres))]
    return pictures


def _scores(pictures: Pictures, data: ReportData, board: Board) -> None:
    rows = views.scored(board)[: views.LONGEST_TABLE]
    baseline = board.best_baseline
    reference = None
    if baseline is not None:
        label = f"best baseline: {model_name(baseline).lower()}, {score(baseline['score'])}"
        reference = plots.Scored(model_name(baseline), label, baseline["score"], None, None)
    if rows:
        measure = METRICS.get(board.metric, board.metric)
        pictures.leaderboard = plots.dot_and_whisker("leaderboard", rows, measure, reference)


def _confusion(pictures: Pictures, data: ReportData, close: list[pd.Series]) -> None:
    for model in close:
        mine = data.confusion[data.confusion["model_id"] == model["model_id"]]
        genres = views.shown_genres(data, list(model["classes"]))
        shares = plots_matrices.confusion_shares(mine, genres)
        if shares.empty:
            continue
        name = f"{model_name(model)} ({model_note(model)})"
        alt = plots_matrices.heatmap_alt(name, shares, dict(data.genre_names))
        figure = plots_matrices.heatmap(f"confusion_{model['engine']}", shares, [data.name(g) for g in genres], alt)
        pictures.confusion.append((model, figure, shares))


def _importances(pictures: Pictures, data: ReportData, board: Board) -> None:
    for _, model in board.rows[~board.rows["engine"].isin(baselines())].iterrows():
        for kind in ("permutation", "impurity"):
            rows = views.importances(data, model["model_id"], kind)
            if rows:
                stem = f"importance_{kind}_{model['engine']}_{model['feature_set']}"
                measure = f"{kind.capitalize()} importance of the features of {model_name(model)}"
                pictures.importances.append((model, kind, plots.importance_bars(stem, rows, measure)))


def _losses(pictures: Pictures, data: ReportData, board: Board) -> None:
    for number, (_, model) in enumerate(board.rows[board.rows["model_id"].isin(data.losses_of)].iterrows()):
        stem = f"training_{number:02d}_{model['estimator']}"
        figure = training_curve(stem, data.losses_of[model["model_id"]], model_name(model))
        pictures.losses.append((model, figure))


def _features(pictures: Pictures, data: ReportData, genres: list[str], board: Board | None) -> None:
    sample = data.sample[data.sample["_genre_id"].isin(genres)]
    numeric = data.features.loc[data.features["kind"] == "numeric", "feature"].tolist()
    known = [feature for feature in numeric if feature in sample]
    if sample.empty or not known:
        return
    units = dict(zip(data.features["feature"], data.features["unit"], strict=True))
    names = data.genre_names
    ranked = [m["model_id"] for _, m in board.rows.iterrows()] if board is not None else []
    for feature in views.drawn_features(data, ranked):
        stem = f"distribution_{_file_stem(feature)}"
        figure = plots.ridges(stem, sample, feature, units.get(feature, ""), genres, names)
        pictures.ridges.append(figure)
    root = plots_matrices.grow_tree(sample, known, data.seed)
    if root is not None:
        pictures.tree = plots_matrices.draw_tree("decision_tree", root, units, names)
    top = known if len(known) <= _MOST_FEATURES else views.drawn_features(data, ranked, _MOST_FEATURES)
    among = sample[top].apply(pd.to_numeric, errors="coerce").corr()
    pictures.correlation_pairs = plots_matrices.strongest_pairs(among)
    if len(top) > 1:
        pairs = _pairs_in_words(pictures.correlation_pairs)
        alt = f"Correlation of {len(top)} features of {data.feature_set}. {pairs}"
        pictures.correlation = plots_matrices.correlation_triangle("correlation_features", among, top, alt)
    medians = genre_medians(sample, known, genres)
    if len(medians) > 1 and len(known) > 2:
        likeness = medians.T.corr()
        likeness.index = likeness.columns = pd.Index([data.name(str(genre)) for genre in medians.index])
        pictures.genre_pairs = plots_matrices.strongest_pairs(likeness, 5)
        alt = f"Correlation of the medians of {len(medians)} genres. " + _pairs_in_words(pictures.genre_pairs)
        pictures.genre_correlation = plots_matrices.correlation_triangle(
            "correlation_genres", likeness, list(likeness.index), alt
        )


def genre_medians(sample: pd.DataFrame, features: Sequence[str], genres: Sequence[str]) -> pd.DataFrame:
    """Median of every feature per genre, after each feature is scaled to mean 0 and standard deviation 1.

    Without scaling, the features with the largest values (Hz) would dominate the similarity of genres.
    """
    values = sample[list(features)].apply(pd.to_numeric, errors="coerce")
    spread = values.std(ddof=0)
    usable = spread[spread > 0].index
    scaled = (values[usable] - values[usable].mean()) / spread[usable]
    medians = scaled.groupby(sample["_genre_id"]).median()
    return medians.reindex([genre for genre in genres if genre in medians.index])


def _file_stem(feature: str) -> str:
    """A feature's name shortened for a file name, which has at most 255 bytes."""
    return feature if len(feature) <= 100 else f"{feature[:80]}_{stable_id(feature, length=8)}"


def _pairs_in_words(pairs: pd.DataFrame) -> str:
    told = [f"{p.first} and {p.second} {score(p.value)}" for p in pairs.head(3).itertuples()]
    return f"Strongest: {'; '.join(told)}." if told else ""


def _card(index: int, data: ReportData) -> SoundCard:
    sound = data.sounds[index]
    genre = data.name(sound.genre_id)
    if sound.samples is None or len(sound.samples) == 0:
        return SoundCard(genre, sound.title, sound.song_id, sound.start_s, 0.0, 0, None, "", sound.problem)
    wave = plots.waveform(f"waveform_{index:02d}", sound.samples, sound.sample_rate, f"{sound.title}, {genre}")
    png = plots.mel_picture(sound.samples, sound.sample_rate)
    uri = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    seconds = len(sound.samples) / sound.sample_rate
    return SoundCard(genre, sound.title, sound.song_id, sound.start_s, seconds, sound.sample_rate, wave, uri, "")
