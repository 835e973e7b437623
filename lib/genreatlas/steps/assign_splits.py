"""Assign songs without a part to train, promotion or test, and the training part to folds.

Songs of the same artist and copies of the same recording get the same part. Assigned songs never move to another
part. A repeated run does nothing until there are new songs, or new links between songs of different parts.
"""

from datetime import UTC, datetime

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import checks, splits
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.datasets.fetching import fetch
from genreatlas.datasets.labels import at_level
from genreatlas.datasets.library import parents_of, read_ties
from genreatlas.errors import InputError
from genreatlas.ids import slug
from genreatlas.splits import summary
from genreatlas.store import Reader, Store
from genreatlas.tables import RECORDINGS, SONG_GENRES, SPLITS

READS = ("songs", "song_artists", "song_genres", "genre_parents", "clips", "splits", "recording_links")
WRITES = ("splits", "recordings")
SECTIONS = ("splits", "train")
check = checks.assign_splits


def run(store: Store, config: Config) -> Counts:
    """Add a version of the split with songs that have a genre and no row in the split yet.

    Raises
    ------
    InputError : no song has a genre.
    SplitError, SplitLeakError, ConfigError : see :func:`genreatlas.splits.assign`.
    """

    def read(frame: DataFrame) -> pd.DataFrame:
        rows: pd.DataFrame = fetch(frame, "song_id", config.store.max_commit_mb).to_pandas()
        return rows

    genres = read(store.live(SONG_GENRES).select("song_id", "genre_id", "genre"))
    if genres.empty:
        raise InputError("no song has a genre yet. Run import_folder or import_features first.")
    ties = read_ties(store, config)
    rows = read(store.read(SPLITS).where(F.col("split") == config.splits.name).drop("split", "assigned_at"))

    genres = genres[~genres["song_id"].isin(ties.gone)]
    library = splits.Library(ties.songs, genres, ties.links, _judged(store, config, genres))
    placed = splits.current(rows)
    made = splits.assign(library, placed, config.splits, config.train.min_songs)
    songs = ties.songs.loc[~ties.songs["retired"], "song_id"]
    if made.rows.empty:
        _write_copies(store, splits.copies(ties.links, songs, placed))
        return Counts()
    version = int(rows["split_version"].max()) + 1 if len(rows) else 1
    new = made.rows.assign(split=config.splits.name, split_version=version, assigned_at=datetime.now(UTC))
    store.upsert(SPLITS, new)

    now = splits.current(splits.stack(rows, new[rows.columns]))
    now = now[~now["song_id"].isin(ties.gone)]
    copies = splits.copies(ties.links, songs, now)
    _write_copies(store, copies)
    excluded = int((new["part"] == "excluded").sum())
    return Counts(
        read=made.pending + made.withdrawn,
        written=len(new) - excluded,
        skipped=excluded,
        notes=summary.describe(
            now,
            genres,
            ties.songs,
            config.splits.name,
            version,
            made.withdrawn,
            splits.find_shared(now, ties.songs, ties.clips),
            copies,
        ),
    )


def _write_copies(store: Store, copies: pd.DataFrame) -> None:
    """Update the table ``recordings`` to the current copies."""
    stored = store.read(RECORDINGS).toPandas()
    both = copies.merge(stored, how="outer", on=["song_id", "recording_id"], indicator=True)
    new = both.loc[both["_merge"] == "left_only", ["song_id", "recording_id"]]
    gone = stored.loc[~stored["song_id"].isin(copies["song_id"]), ["song_id"]]
    if len(new):
        store.upsert(RECORDINGS, new, update=True)
    if len(gone):
        store.delete(RECORDINGS, store.spark.createDataFrame(gone, "song_id string"))


def _judged(store: Reader, config: Config, genres: pd.DataFrame) -> pd.DataFrame:
    """Labels that training uses: at ``train.level``, limited to ``train.genres`` if given."""
    labels = at_level(genres, config.train.level, parents_of(store) if config.train.level == "parent" else {})
    wanted = {slug(genre) for genre in config.train.genres}
    return labels[labels["genre_id"].isin(wanted)] if wanted else labels
