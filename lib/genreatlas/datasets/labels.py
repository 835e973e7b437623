"""Select training songs and their labels: levels, copies, several genres, limits, balance.

Uses pandas with one row per song, so that every rule can be tested without Spark.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from genreatlas.config import TrainSection
from genreatlas.errors import ConfigError, InputError, nearest
from genreatlas.ids import slug, stable_id

#: Columns of :attr:`Choice.dropped`, songs per genre.
DROPPED = ("genre_id", "genre", "songs", "no_features", "filtered", "duplicates", "several", "surplus", "kept", "why")


@dataclass(frozen=True)
class Choice:
    """Songs and labels chosen for training.

    Attributes
    ----------
    classes, class_names : genre ids in sorted order, and their names.
    songs : song_id (sorted), group_id, part, fold, genres (tuple of ids), weight.
    dropped : number of songs dropped by each rule, per genre (columns :data:`DROPPED`); ``why`` is empty for classes.
    """

    classes: tuple[str, ...]
    class_names: tuple[str, ...]
    songs: pd.DataFrame
    dropped: pd.DataFrame
    effects: tuple[str, ...] = ()  #: lines on the songs that other values of train.labels and min_songs would keep


def roots(parents: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Topmost genre of each genre that has a parent.

    Parameters
    ----------
    parents : (parent id, parent name) by genre id.

    Returns
    -------
    (root id, root name) by genre id. The root of a cycle is its smallest id.
    """
    found = {}
    names = dict(parents.values())
    for genre in parents:
        path = [genre]
        while path[-1] in parents and parents[path[-1]][0] not in path:
            path.append(parents[path[-1]][0])
        top = path[-1]
        if top in parents:
            circle = path[path.index(parents[top][0]) :]
            top = min(circle)
        found[genre] = (top, names.get(top, top))
    return found


def at_level(labels: pd.DataFrame, level: str, parents: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Labels (song_id, genre_id, genre) at the level genre or parent; a genre without a parent is its own parent."""
    if level == "parent":
        top = roots(parents)
        mapped = [top.get(genre, (genre, name)) for genre, name in zip(labels.genre_id, labels.genre, strict=True)]
        labels = labels.assign(genre_id=[genre for genre, _ in mapped], genre=[name for _, name in mapped])
    return labels[["song_id", "genre_id", "genre"]].drop_duplicates(["song_id", "genre_id"], ignore_index=True)


def choose(
    songs: pd.DataFrame, labels: pd.DataFrame, train: TrainSection, classes: tuple[str, ...] | None = None
) -> Choice:
    """Apply ``[train]`` genres, labels, min_songs, max_songs and balance.

    Copies of a recording within one part count once, with the genres of all copies. Then genres with fewer than
    ``min_songs`` songs are removed, and ``labels`` is applied to songs with several of the remaining genres. As that
    removes songs, both rules are repeated until every remaining genre has enough songs.
    ``max_songs`` and ``balance`` apply to the training part only: metrics are computed on all test songs.

    Parameters
    ----------
    songs : song_id, group_id, part, fold, recording, state ("usable", "no_features" or "filtered").
    labels : song_id, genre_id, genre, at the configured level.
    train : the ``[train]`` section.
    classes : genres of a model to evaluate; if given, min_songs, max_songs and balance=downsample are not applied.

    Raises
    ------
    ConfigError : no song has a configured genre; or balance is set while songs may have several genres.
    InputError : fewer than two genres are left.
    """
    if train.labels == "multi" and train.balance != "none":
        raise ConfigError(
            f"train.balance = {train.balance} needs one genre a song. Set it to none, or train.labels to drop."
        )
    labels = labels[labels.song_id.isin(songs.song_id)]
    report = _Report(songs, labels)
    wanted = set(classes) if classes else _wanted(train.genres, labels)

    usable = songs[songs.state == "usable"].sort_values("song_id", ignore_index=True)
    kept = usable[~usable.duplicated(["recording", "part"])]
    report.note("duplicates", set(usable.song_id) - set(kept.song_id))
    labels = labels[labels.genre_id.isin(wanted)].merge(usable[["song_id", "recording", "part"]], on="song_id")
    labels = labels.drop(columns="song_id").merge(kept[["song_id", "recording", "part"]], on=["recording", "part"])
    labels = labels.drop_duplicates(["song_id", "genre_id"])

    chosen, several = _settle(labels, kept, train, wanted if classes else None)
    report.note("several", several)
    if len(chosen.genre_id.unique()) < 2 and not classes:
        raise InputError(_too_few(report.rows(chosen, train, set()), train))
    effects = () if classes else _effects(labels, kept, train, chosen)

    parts = chosen.merge(kept, on=["song_id", "part"])
    training = parts[parts.part == "train"]
    surplus = set() if classes else _surplus(training, train)
    report.note("surplus", surplus)
    chosen = chosen[~chosen.song_id.isin(surplus)]
    dropped = report.rows(chosen, train, set(chosen.genre_id) if classes is None else wanted)
    ids = tuple(classes) if classes else tuple(sorted(chosen.genre_id.unique()))
    names = dict(sorted(zip(labels.genre_id, labels.genre, strict=True), reverse=True))
    return Choice(
        ids, tuple(names.get(genre, genre) for genre in ids), _song_rows(kept, chosen, train), dropped, effects
    )


def _wanted(genres: tuple[str, ...], labels: pd.DataFrame) -> set[str]:
    present = set(labels.genre_id)
    for genre in genres:
        if slug(genre) not in present:
            near = nearest(genre, sorted(set(labels.genre)))
            raise ConfigError(f"train.genres: no song of the split has the genre {genre!r}. {near}")
    return {slug(genre) for genre in genres} or present


def _settle(
    labels: pd.DataFrame, songs: pd.DataFrame, train: TrainSection, fixed: set[str] | None
) -> tuple[pd.DataFrame, set[str]]:
    """Labels after the rule for songs with several genres, and the ids of songs that the rule removed."""
    current = labels
    while True:
        size = current.song_id.map(current.song_id.value_counts())
        if train.labels == "drop":
            chosen = current[size == 1]
        elif train.labels == "rarest":
            count = current.genre_id.map(current.genre_id.value_counts())
            order = current.assign(count=count).sort_values(["song_id", "count", "genre_id"])
            chosen = order.drop_duplicates("song_id").drop(columns="count")
        else:
            chosen = current
        several = set(current.song_id) - set(chosen.song_id)
        if fixed is not None:
            return chosen, several
        members, total = current.genre_id.value_counts(), chosen.genre_id.value_counts()
        trained = set(chosen.genre_id[chosen.song_id.isin(songs.song_id[songs.part == "train"])])
        # Remove genres with too few songs before the rule first: their songs may then count for another genre.
        small = {genre for genre, n in members.items() if n < train.min_songs}
        small = small or {genre for genre in members.index if total.get(genre, 0) < train.min_songs}
        small = small or set(members.index) - trained
        if not small:
            return chosen, several
        current = current[~current.genre_id.isin(small)]


def _effects(labels: pd.DataFrame, songs: pd.DataFrame, train: TrainSection, settled: pd.DataFrame) -> tuple[str, ...]:
    """Lines on the songs that each value of ``train.labels`` keeps, and the labels that ``min_songs`` removes.

    Songs are recordings here: copies are removed, and ``max_songs`` is not applied yet. ``settled`` are the labels that
    the configured rule keeps.
    """
    several = int((labels.song_id.value_counts() > 1).sum())
    lines = []
    if several:
        said = []
        for rule in ("drop", "rarest", "multi"):
            other = train.model_copy(update={"labels": rule})
            chosen = settled if rule == train.labels else _settle(labels, songs, other, None)[0]
            said.append(f"{rule} {chosen.song_id.nunique():,} songs of {chosen.genre_id.nunique():,} genres")
        lines.append(
            f"{several:,} of {labels.song_id.nunique():,} recordings have several genres; train.labels would keep with "
            f"{', '.join(said)} (now {train.labels})"
        )
    counts = labels.groupby("genre_id").song_id.nunique()
    if small := int((counts < train.min_songs).sum()):
        lines.append(
            f"train.min_songs = {train.min_songs}: {small:,} of {len(counts):,} genres have fewer recordings, "
            f"{int(counts[counts < train.min_songs].sum()):,} labels in all"
        )
    return tuple(lines)


def _surplus(training: pd.DataFrame, train: TrainSection) -> set[str]:
    """Training songs in excess of ``max_songs`` or of the smallest genre; songs are kept evenly over folds, by hash."""
    bounds = [train.max_songs] if train.max_songs else []
    if train.balance == "downsample":
        bounds.append(int(training.genre_id.value_counts().min()))
    if not bounds:
        return set()
    order = training.assign(hash=[stable_id("surplus", train.seed, song) for song in training.song_id])
    order = order.sort_values("hash", ignore_index=True)
    stratum = order.groupby(["genre_id", "fold"], dropna=False)
    order["place"] = (stratum.cumcount() + 0.5) / stratum.hash.transform("size")
    order = order.sort_values(["place", "hash"], ignore_index=True)
    kept = set(order.song_id[order.groupby("genre_id").cumcount() < min(bounds)])
    return set(training.song_id) - kept


def _song_rows(songs: pd.DataFrame, chosen: pd.DataFrame, train: TrainSection) -> pd.DataFrame:
    genres = chosen.sort_values("genre_id").groupby("song_id").genre_id.agg(tuple).rename("genres")
    rows = songs.merge(genres, left_on="song_id", right_index=True).sort_values("song_id", ignore_index=True)
    rows["weight"] = 1.0
    if train.balance == "weights":
        training = rows.part == "train"
        genre = rows.genres.str[0]
        count = genre[training].value_counts()
        rows.loc[training, "weight"] = training.sum() / (len(count) * genre[training].map(count))
    return rows[["song_id", "group_id", "part", "fold", "genres", "weight"]]


class _Report:
    """Numbers of songs per genre that were dropped by each rule or kept."""

    def __init__(self, songs: pd.DataFrame, labels: pd.DataFrame) -> None:
        self.labels = labels
        self.gone = {state: set(songs.song_id[songs.state == state]) for state in ("no_features", "filtered")}

    def note(self, rule: str, songs: set[str]) -> None:
        """Record the songs that a rule removed."""
        self.gone[rule] = songs

    def rows(self, chosen: pd.DataFrame, train: TrainSection, classes: set[str]) -> pd.DataFrame:
        """The table, sorted by genre."""
        found = []
        kept = chosen.genre_id.value_counts()
        for genre, group in self.labels.groupby("genre_id"):
            members = set(group.song_id)
            row = {"genre_id": genre, "genre": min(group.genre), "songs": len(members)}
            for rule in ("no_features", "filtered", "duplicates", "several", "surplus"):
                row[rule] = len(members & self.gone.get(rule, set()))
            row["kept"] = int(kept.get(genre, 0))
            row["why"] = "" if genre in classes else self._why(str(genre), train)
            found.append(row)
        return pd.DataFrame(found, columns=list(DROPPED))

    def _why(self, genre: str, train: TrainSection) -> str:
        if train.genres and genre not in {slug(name) for name in train.genres}:
            return "not among train.genres"
        return f"fewer than {train.min_songs} songs left, or none in the training part"


def _too_few(dropped: pd.DataFrame, train: TrainSection) -> str:
    largest = dropped.sort_values(["songs", "genre_id"], ascending=[False, True]).head(5)
    seen = "; ".join(
        f"{row.genre}: {row.songs} songs, {row.no_features} without features, {row.filtered} filtered out, "
        f"{row.duplicates} copies, {row.several} with several genres"
        for row in largest.itertuples()
    )
    return (
        f"Fewer than two usable genres with train.min_songs = {train.min_songs} (train.labels = {train.labels}). "
        f"{seen or 'No song of the split has a genre'}. Lower train.min_songs, or add songs."
    )
