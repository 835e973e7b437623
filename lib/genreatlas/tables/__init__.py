"""EVERY table of the store. Schemas, ``DESCRIBE`` comments and the data dictionary come from here."""

from genreatlas.tables.deploying import (
    DEPLOYING_TABLES,
    DRIFT,
    PROMOTION_GENRES,
    PROMOTIONS,
    SCORE_WINDOWS,
    SCORES,
)
from genreatlas.tables.every_noise import (
    EVERY_NOISE_TABLES,
    EVERYNOISE_ARTISTS,
    EVERYNOISE_NEIGHBOURS,
    EVERYNOISE_PLAYLISTS,
    GENRES,
)
from genreatlas.tables.features import (
    EVENT_COUNT,
    FEATURE_KEY_COLUMNS,
    FEATURE_SETS,
    FRAME_COLUMNS,
    QUANTISED_COLUMNS,
    VECTOR_COLUMN,
    feature_table,
    frame_table,
    summary_table,
)
from genreatlas.tables.library import (
    ARTISTS,
    CLIP_AUDIO,
    CLIPS,
    GENRE_PARENTS,
    LIBRARY_TABLES,
    RECORDINGS,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
)
from genreatlas.tables.modelling import (
    EXPERIMENTS,
    FOLD_SCORES,
    METRICS,
    MODELLING_TABLES,
    MODELS,
    PREDICTIONS,
    SPLITS,
    TRAINING_GENRES,
)
from genreatlas.tables.operations import FETCH_ATTEMPTS, OPERATIONS_TABLES, QUARANTINE, RUNS
from genreatlas.tables.schema import Column, Table
from genreatlas.tables.spotify import (
    PLAYLISTS,
    SPOTIFY_ACCESS,
    SPOTIFY_AUDIO,
    SPOTIFY_AUDIO_ANALYSIS,
    SPOTIFY_AUDIO_SET,
    SPOTIFY_SEARCHES,
    SPOTIFY_TABLES,
)

#: Tables with a fixed schema. Feature tables follow from the registry of feature sets.
TABLES = (
    *LIBRARY_TABLES,
    *EVERY_NOISE_TABLES,
    *SPOTIFY_TABLES,
    FEATURE_SETS,
    *MODELLING_TABLES,
    *DEPLOYING_TABLES,
    *OPERATIONS_TABLES,
)

__all__ = [
    "ARTISTS",
    "CLIPS",
    "CLIP_AUDIO",
    "DRIFT",
    "EVENT_COUNT",
    "EVERYNOISE_ARTISTS",
    "EVERYNOISE_NEIGHBOURS",
    "EVERYNOISE_PLAYLISTS",
    "EXPERIMENTS",
    "FEATURE_KEY_COLUMNS",
    "FEATURE_SETS",
    "FETCH_ATTEMPTS",
    "FOLD_SCORES",
    "FRAME_COLUMNS",
    "GENRES",
    "GENRE_PARENTS",
    "METRICS",
    "MODELS",
    "PLAYLISTS",
    "PREDICTIONS",
    "PROMOTIONS",
    "PROMOTION_GENRES",
    "QUANTISED_COLUMNS",
    "QUARANTINE",
    "RECORDINGS",
    "RUNS",
    "SCORES",
    "SCORE_WINDOWS",
    "SONGS",
    "SONG_ARTISTS",
    "SONG_GENRES",
    "SPLITS",
    "SPOTIFY_ACCESS",
    "SPOTIFY_AUDIO",
    "SPOTIFY_AUDIO_ANALYSIS",
    "SPOTIFY_AUDIO_SET",
    "SPOTIFY_SEARCHES",
    "TABLES",
    "TRAINING_GENRES",
    "VECTOR_COLUMN",
    "Column",
    "Table",
    "feature_table",
    "frame_table",
    "summary_table",
]
