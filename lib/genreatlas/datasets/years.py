"""Years of songs: the earliest year given by any copy of the recording."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genreatlas import splits
from genreatlas.config import Config
from genreatlas.datasets.fetching import fetch
from genreatlas.datasets.library import Ties
from genreatlas.store import Reader
from genreatlas.tables import SONGS

#: First year of sound recording; earlier years and years in the future are errors.
_FIRST_YEAR = 1877


def read_years(store: Reader, config: Config, ties: Ties, song_ids: pd.Series) -> NDArray[np.float64]:
    """Year of each song: the earliest among all copies of its recording, also without features.

    Parameters
    ----------
    store : the store.
    config : the configuration.
    ties : all songs and their links.
    song_ids : (n,) song ids.

    Returns
    -------
    (n,) years; NaN if unknown.
    """
    dates = store.read(SONGS).select("song_id", "original_year", "release_date")
    dated = dates.where("original_year IS NOT NULL OR release_date IS NOT NULL")
    found = fetch(dated, "song_id", config.store.max_commit_mb, 100).to_pandas()
    released = pd.to_numeric(found.release_date.str.extract(r"^\s*(\d{4})(?!\d)", expand=False))
    years = pd.concat([found.original_year.astype(float), released.astype(float)], axis=1)
    latest = datetime.now(UTC).year + 1
    years = years.where((years >= _FIRST_YEAR) & (years <= latest)).min(axis=1)
    known = pd.Series(years.to_numpy(), index=found.song_id).dropna()
    if known.empty:
        return np.full(len(song_ids), np.nan)
    every = ties.songs.song_id.drop_duplicates()
    recording = pd.Series(splits.recordings(ties.links, every), index=every.to_numpy())
    earliest = known.groupby(recording.reindex(known.index).to_numpy()).min()
    return song_ids.map(recording).map(earliest).to_numpy(dtype=np.float64)
