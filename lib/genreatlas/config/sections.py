"""Configuration sections of the pipeline. ``conf/base.toml`` is generated from these defaults."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from genreatlas.config.conditions import check_condition
from genreatlas.config.joined import FeatureSetName

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(gt=0)]

#: Steps that have a job of their own, in the order of the pipeline.
StepName = Literal[
    "compose_library",
    "scrape_genres",
    "collect_songs",
    "import_analyses",
    "import_folder",
    "import_features",
    "fetch_previews",
    "extract_features",
    "link_recordings",
    "assign_splits",
    "fit_topics",
    "train_models",
    "evaluate_models",
    "probe",
    "map_genres",
    "find_neighbours",
    "make_playlist",
    "write_report",
    "publish_site",
    "export",
    "purge",
    "publish_views",
    "promote_model",
    "rollback",
    "score",
    "measure_drift",
    "log_mlflow",
    "rebuild_training_set",
    "housekeeping",
]
#: Names of the engines, in order. :func:`genreatlas.models.engines.register` adds one.
ENGINES: dict[str, None] = {
    "spark": None,
    "sklearn": None,
    "numpy": None,
    "stack": None,
    "networks": None,
    "baseline": None,
}


def check_engine(name: str) -> str:
    """Return the name of an engine unchanged if it is known."""
    if name not in ENGINES:
        expected = " or ".join(f"'{one}'" for one in ENGINES)
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
    return name


EngineName = Annotated[str, AfterValidator(check_engine)]


class Section(BaseModel):
    """Base of configuration sections: immutable, with declared keys only and finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


#: Marks a key that is seldom changed: ``--help`` and conf/base.toml list these keys separately.
EXPERT: dict[str, JsonValue] = {"expert": True}


def seed_of(what: str) -> Any:
    """Field for the seed of a section; ``what`` completes its description."""
    return Field(7, description=f"Seed of {what}; unset: the top-level seed.", json_schema_extra=EXPERT)


class StoreSection(Section):
    """Location of the tables: a path, or a catalog and schema."""

    path: str = Field("data/tables", description="Folder or URI of the tables, as <path>/<table>.")
    catalog: str = Field("", description="Catalog of the tables; used instead of store.path.")
    schema_: str = Field(
        "", alias="schema", description="Schema of the tables in the catalog (without a catalog: in the default one)."
    )
    history: str = Field(
        "interval 3650 days",
        description="Time for which old versions of training inputs are kept.",
        json_schema_extra=EXPERT,
    )
    max_commit_mb: Positive = Field(
        64, description="Maximum size of a commit by the driver, in MB.", json_schema_extra=EXPERT
    )


class SparkSection(Section):
    """Settings of a new session; ignored if a session is already running."""

    master: str = Field(
        "", description="Spark master, such as local[2,4]; empty: all local cores, 4 attempts per task."
    )
    driver_memory: str = Field("2g", description="Heap memory of the Spark driver, such as 2g.")
    settings: dict[str, str] = Field({}, description="Further Spark settings, by Spark's names.")


class PipelineSection(Section):
    """Steps of the job `pipeline`."""

    steps: tuple[StepName, ...] = Field(
        (
            "import_folder", "extract_features", "link_recordings", "assign_splits", "train_models", "evaluate_models",
            "map_genres", "find_neighbours", "write_report",
        ),
        description="Steps of the job pipeline, in order.",
    )  # fmt: skip


class SandboxSection(Section):
    """The library that `compose_library` composes."""

    path: Path = Field(Path("data/sandbox"), description="Folder for the composed clips and their ground truth.")
    seed: int = seed_of("the composer")
    artists_per_genre: Positive = Field(6, description="Number of composed artists per genre.")
    songs_per_artist: Positive = Field(3, description="Number of composed songs per artist.")
    seconds: float = Field(30.0, gt=1.0, description="Length of a composed song, in seconds.")
    genres: tuple[str, ...] = Field(
        (),
        description="Genres to compose; empty: the eight standard genres. Two further genres, 'in turns' and 'in "
        "runs', differ only in the order of drum hits.",
    )
    sounds: Literal["own", "exchanged"] = Field(
        "own",
        description="Sounds of composed genres. own: each genre has its own chords, voices and mix; exchanged: artists "
        "use those of all eight genres in turn, so that genres differ in rhythm only.",
    )
    broken_files: bool = Field(True, description="Add a few damaged files to the composed library.")


class FolderSection(Section):
    """A library of audio files."""

    path: Path = Field(Path("data/music"), description="Folder with the audio files.")
    labels: Literal["directory", "tags", "manifest", "fma", "jamendo"] = Field(
        "directory", description="Source of genre labels."
    )
    manifest: Path | None = Field(
        None, description="CSV or Parquet file with labels; for labels = fma or jamendo, a folder."
    )
    ignore_columns: tuple[str, ...] = Field((), description="Columns of the manifest to ignore.")
    encoding: str = Field("auto", description="Encoding of the manifest; auto: UTF-8, UTF-16 or Windows-1252.")
    label_separator: str = Field(
        "auto",
        min_length=1,
        description='Separator of several genres in a cell; "auto": detected; "none": cells are not divided.',
    )
    fma_labels: Literal["genre_top", "genres_all"] = Field(
        "genre_top", description="FMA: the top genre of a track, or all its genres and their ancestors."
    )
    subset: Literal["", "small", "medium", "large", "full"] = Field(
        "", description="FMA subset (small, medium, large, full); empty: all files found."
    )
    jamendo_split: str = Field(
        "split-0", description="Published split of MTG-Jamendo to use, by folder: split-0 to split-4; empty: none."
    )
    licence: str = Field("", description="Licence stored where the source states none.")
    genre_aliases: dict[str, str] = Field({}, description='Genre by spelling, such as {"hip-hop/rap" = "hip hop"}.')
    genre_parents: dict[str, str] = Field({}, description='Parent genre by genre, such as {baroque = "classical"}.')
    corrections: str = Field(
        "",
        description="Source of corrections by visitors of the site, which replace the folder's labels: the site's "
        "database (SQLite file or SQLAlchemy URL), or a table with song_id or sha256, genre_id and visitor.",
    )
    corrections_agree: Positive = Field(
        1, description="Minimum number of visitors who give the same genre for a correction to apply."
    )
    batch_files: Positive = Field(
        1024, description="Files per commit; at most this many are repeated after a crash.", json_schema_extra=EXPERT
    )


class SyncSection(Section):
    """Songs, labels and clips that their source no longer contains."""

    gone: Literal["retire", "keep"] = Field(
        "retire",
        description="Treatment of rows that are missing from their source. retire: they get a date and are not used "
        "until they return; keep: they are still used.",
    )
    max_share: Share = Field(
        0.2,
        description="Maximum share of a source's songs that one run retires. If more are missing, for example because "
        "a folder is not mounted, the step retires none and stops. Up to ten songs may always be retired, if "
        "they are no more than half. 1: no limit.",
    )


class ClipSection(Section):
    """The part of a file that features are computed from, and its normalisation."""

    position: Literal["start", "middle"] | float = Field(
        "middle", description="Position of the clip in a file: start, middle, or an offset in seconds."
    )
    seconds: float = Field(30.0, gt=0.0, description="Length of the clip in seconds; shorter files are used whole.")
    min_seconds: float = Field(1.0, gt=0.0, description="Files with less audio, in seconds, are quarantined.")
    normalise: Literal["off", "ebur128", "rms"] = Field("off", description="Loudness normalisation of the clip.")
    target_lufs: float = Field(-23.0, description="Target loudness of ebur128, in LUFS.")
    target_rms_dbfs: float = Field(-20.0, description="Target level of rms, in dBFS.")


class LimitsSection(Section):
    """Limits that keep one bad input from stopping a step."""

    max_file_mb: Positive = Field(2048, description="Files larger than this, in MB, are quarantined.")
    max_clip_mb: Positive = Field(
        64, description="Maximum size of a decoded clip over all channels, in MB.", json_schema_extra=EXPERT
    )
    clip_seconds: float = Field(
        120.0, gt=0.0, description="Time limit for decoding and extracting one clip, in seconds."
    )
    clip_memory_mb: Positive = Field(
        1024,
        description="Limit of the additional memory that a worker uses for one clip, in MB.",
        json_schema_extra=EXPERT,
    )
    max_failed_share: Share = Field(
        0.5, description="A step exits with code 1 if more than this share of its work failed."
    )


class ImportFeaturesSection(Section):
    """A table of precomputed features."""

    path: Path | None = Field(
        None, description="Table to import: a CSV, ARFF, Parquet or Arrow file, or a folder of part files."
    )
    name: str = Field("", pattern=r"^([a-z][a-z0-9_]*)?$", description="Name of the imported feature set.")
    id: str = Field("", description="Column with the row's id.")
    labels: tuple[str, ...] = Field((), description="Columns with genres.")
    song: str = Field("", description="Column with the song's id; empty: the row's id is the song's id.")
    song_pattern: str = Field(
        "", description="Regular expression whose first group extracts the song's id from the row's id."
    )
    artist: str = Field("", description="Column with the artist.")
    title: str = Field("", description="Column with the title.")
    album: str = Field("", description="Column with the album.")
    split: str = Field("", description="Column with the part: train, promotion or test.")
    split_lists: dict[str, Path] = Field(
        {}, description="File with the ids of a part, one per line, by part (train, promotion, test)."
    )
    features: tuple[str, ...] = Field((), description="Feature columns; empty: all numeric ones that are not excluded.")
    exclude: tuple[str, ...] = Field(
        (), description="Columns that are not features, in addition to those excluded by default."
    )
    include: tuple[str, ...] = Field((), description="Columns to keep although they are excluded by default.")
    categorical: tuple[str, ...] = Field(("key",), description="Numeric columns whose values are categories.")
    layout: Literal["summary", "vector"] = Field(
        "summary",
        description="Layout of stored features: summary (one column per feature) or vector (one array, for "
        "embeddings).",
    )
    encoding: str = Field("auto", description="Encoding of a text file; auto: UTF-8, UTF-16 or Windows-1252.")
    decimal: Literal["auto", ".", ","] = Field("auto", description="Decimal mark of numbers in a text file.")
    label_separator: str = Field(
        "auto",
        min_length=1,
        description='Separator of several genres in a cell; "auto": detected; "none": cells are not divided.',
    )
    genre_aliases: dict[str, str] = Field({}, description='Genre by spelling, such as {"hip-hop/rap" = "hip hop"}.')
    genre_parents: dict[str, str] = Field({}, description='Parent genre by genre, such as {baroque = "classical"}.')


class SplitsSection(Section):
    """Division of songs into training, promotion and test parts."""

    name: str = Field("default", description="Name of the split.")
    seed: int = seed_of("the order in which groups are placed")
    test: Share = Field(0.2, description="Share of songs in the test part.")
    promotion: Share = Field(0.1, description="Share of songs in the promotion part.")
    folds: Annotated[int, Field(ge=2, le=20)] = Field(5, description="Number of folds of the training part.")
    group_by: Literal["artist", "album", "song"] = Field(
        "artist", description="Songs with the same artist, album or song id are always in the same part."
    )
    max_group_share: Share = Field(
        0.02,
        description="Maximum share of all songs in one group; from 1,000 songs on, a larger group stops the step.",
    )
    declared: Literal["honour", "ignore"] = Field(
        "honour", description="Parts declared by the source: honour uses them, ignore does not."
    )
    allow_declared_leak: bool = Field(
        False, description="Use a declared split even if it leaks; every score is then flagged."
    )

    @model_validator(mode="after")
    def _leaves_songs_to_train_on(self) -> "SplitsSection":
        if self.test + self.promotion >= 1.0:
            raise ValueError("test + promotion must be less than 1, so that songs remain for training")
        return self


class Candidate(Section):
    """One entry of the candidate list: an estimator and its grid, to train on each of its feature sets."""

    engine: EngineName
    estimator: str
    feature_sets: tuple[FeatureSetName, ...] = ()
    grid: dict[str, list[Any]] = {}


class TrainSection(Section):
    """Training data, labels and candidates."""

    feature_sets: tuple[FeatureSetName, ...] = Field(
        ("summary9", "mfcc12_frames"),
        description='Feature sets to train on; an entry ["summary9", "groove"] joins two sets column by column.',
    )
    candidates: tuple[Candidate, ...] = Field((), description="Candidates to train; empty: those of the preset.")
    preset: Literal["quick", "full"] = Field(
        "quick",
        description="Candidates if train.candidates is empty: quick (a few estimators for the size of the data, grids "
        "searched by successive halving on folds) or full (every estimator of every engine with its whole grid).",
    )
    budget_minutes: float | None = Field(
        None,
        gt=0.0,
        description="Run time of train_models in minutes after which no further candidate is started; unset: no limit.",
    )
    genres: tuple[str, ...] = Field((), description="Genres to train on; empty: all with enough songs.")
    level: Literal["genre", "parent"] = Field("genre", description="Train on genres or on their parents.")
    labels: Literal["drop", "rarest", "multi"] = Field(
        "drop",
        description="Songs with several genres: drop them, keep the rarest genre (rarest), or train on all (multi).",
    )
    min_songs: Positive = Field(10, description="Minimum songs of a genre; genres with fewer are left out.")
    max_songs: int = Field(0, ge=0, description="Maximum training songs per genre; 0: no limit.")
    balance: Literal["none", "downsample", "weights"] = Field(
        "none", description="Treatment of imbalanced genres: none, downsample or weights."
    )
    keep_features: tuple[str, ...] = Field(
        (), description="Imported features to keep although they look like a label leak."
    )
    where: Annotated[str, AfterValidator(check_condition)] = Field(
        "", description="SQL condition on columns of songs, clips and features that training rows must meet."
    )
    metric: Literal[
        "macro_f1", "accuracy", "balanced_accuracy", "weighted_f1", "macro_average_precision", "micro_average_precision"
    ] = Field(
        "macro_f1",
        description="Metric to rank candidates by; with labels = multi it must be an average precision.",
    )
    frames_per_song: Positive = Field(100, description="Frames per song to train frame models on.")
    calibrate: bool = Field(True, description="Calibrate probabilities and prediction sets on the folds.")
    max_matrix_mb: Positive = Field(
        1024,
        description="Maximum training matrix sent to every worker, in MB. For a larger one, Spark fits only lda and "
        "nearest_profile.",
        json_schema_extra=EXPERT,
    )
    shared_path: Path | None = Field(
        None, description="Folder readable by all workers; the matrix is written there instead of being sent to them."
    )
    seed: int = seed_of("every random choice")


class ModelsSection(Section):
    """Model files."""

    path: Path = Field(Path("data/models"), description="Folder of the model files (a volume on Databricks).")


class EvaluateSection(Section):
    """Evaluation of models."""

    part: Literal["test", "promotion"] = Field("test", description="Part of the split to evaluate on.")
    bootstrap: Positive = Field(
        1000, description="Number of bootstrap samples of groups per interval.", json_schema_extra=EXPERT
    )
    permutations: Positive = Field(2000, description="Number of permutations per p-value.", json_schema_extra=EXPERT)
    importance_features: Positive = Field(
        200,
        description="Maximum features whose importance is measured; those with the largest weights are used.",
        json_schema_extra=EXPERT,
    )
    importance_repeats: Positive = Field(
        5, description="Number of shuffles of each feature to measure its importance.", json_schema_extra=EXPERT
    )
    min_groups: Positive = Field(
        5, description="Minimum groups for an interval of a proportion (accuracy, recall).", json_schema_extra=EXPERT
    )
    min_bootstrap_groups: Positive = Field(
        30,
        description="Minimum groups for a bootstrap interval (macro-F1, precision, importances).",
        json_schema_extra=EXPERT,
    )
    seed: int = seed_of("bootstrap and permutations")


class ReportSection(Section):
    """The report: an HTML page with pictures."""

    path: Path = Field(Path("data/report"), description="Folder of index.html and its pictures.")
    title: str = Field("Genre Atlas", description="Title of the report.")
    embed_audio: bool = Field(False, description="Embed audio of confused songs, and of topics, in the report.")
    max_audio_songs: Positive = Field(
        8, description="Maximum confused songs, and maximum songs for topics, whose audio is embedded."
    )
    max_genres: Positive = Field(16, description="Maximum genres in a picture; the largest are shown.")
    sample_per_genre: Positive = Field(
        300, description="Rows sampled per genre for pictures of features.", json_schema_extra=EXPERT
    )
    seed: int = seed_of("the sample for pictures and the drawn tree")


class RebuildSection(Section):
    """The training set of a stored model."""

    model_id: str = Field("", description="Id of the model whose training set is rebuilt.")
    path: Path = Field(Path("data/rebuilt"), description="Folder of rebuilt matrices, with one subfolder per model.")


App = Literal["legacy", "extended", "development"]


class WorldSection(Section):
    """The sandbox world: a local server that imitates Every Noise, Spotify, Deezer and a clip CDN."""

    start: bool = Field(
        False, description="Serve the sandbox world while a job runs; a world that already runs is used."
    )
    port: int = Field(8440, ge=0, le=65530, description="First of four consecutive ports; 0: any free ports.")
    genres: int = Field(0, ge=0, description="Number of genres to generate; 0: those of the composed library.")
    songs: Positive = Field(
        150, description="Songs per generated genre; their clips are taken from the composed library."
    )
    seed: int = seed_of("generated names and numbers")
    app: App = Field(
        "legacy",
        description="Access level of the Spotify app: legacy (audio features, previews), extended (neither), or "
        "development (items of own playlists only, pages of 10 results, no batches).",
    )
    preview_lifetime_s: float = Field(
        900.0, gt=0.0, description="Lifetime of preview links, in seconds.", json_schema_extra=EXPERT
    )
    token_lifetime_s: float = Field(
        3600.0, gt=0.0, description="Lifetime of access tokens, in seconds.", json_schema_extra=EXPERT
    )
    fault_share: Share = Field(0.0, description="Share of requests that fail with a transient error.")
