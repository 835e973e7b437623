"""Bytes of the few fetched clips that the page draws and plays."""

import pandas as pd
from pyspark.sql import functions as F

from genreatlas.audio.uris import FETCHED
from genreatlas.store import Reader
from genreatlas.tables import CLIP_AUDIO

#: What names one audio in ``clip_audio``, as rows of ``clips`` say it.
AUDIO_KEYS = ("ingest_batch", "sha256", "provider")


def with_audio(store: Reader, clips: pd.DataFrame) -> pd.DataFrame:
    """The same rows with a column ``audio``: the bytes of fetched clips, None for files and where they are gone.

    Parameters
    ----------
    clips : uri and :data:`AUDIO_KEYS`, in which a song without a clip has None.
    """
    if clips.empty or not store.exists(CLIP_AUDIO):
        return clips.assign(audio=None)
    fetched = clips[clips["uri"].astype("string").str.startswith(FETCHED).fillna(False).astype(bool)]
    rows = store.read(CLIP_AUDIO).where(
        F.col("ingest_batch").isin(sorted(set(fetched["ingest_batch"])))
        & F.col("sha256").isin(sorted(set(fetched["sha256"])))
    )
    held = {tuple(row[key] for key in AUDIO_KEYS): bytes(row["audio"]) for row in rows.collect()}
    keys = clips[list(AUDIO_KEYS)].itertuples(index=False, name=None)
    return clips.assign(audio=pd.Series([held.get(key) for key in keys], index=clips.index, dtype=object))
