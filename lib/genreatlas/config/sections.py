"""The configuration's sections. Every default lives here; ``conf/base.toml`` is printed from it."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from genreatlas.config.conditions import check_condition
from genreatlas.config.joined import FeatureSetName

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(gt=0)]

#: Steps that have a job of their own, in the order of the data's way.
StepName = Literal[
    "compose_library",
    "scrape_genres",
    "collect_songs",
    "import_analyses",
    "import_folder",
    "import_features",
    "fetch_previews",
    "extract_features",
    "assign_splits",
    "train_models",
    "evaluate_models",
    "write_report",
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
#: Names of the engines that a configuration may name, in order. :func:`genreatlas.models.engines.register` adds one.
ENGINES: dict[str, None] = {"spark": None, "sklearn": None, "baseline": None}


def check_engine(name: str) -> str:
    """An engine's name that is known."""
    if name not in ENGINES:
        expected = " or ".join(f"'{one}'" for one in ENGINES)
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
    return name


EngineName = Annotated[str, AfterValidator(check_engine)]


class Section(BaseModel):
    """Frozen, with no key that is not declared, and no number that is infinite or none at all."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StoreSection(Section):
    """Where tables live: a path, or a catalog and schema."""

    path: str = Field("data/tables", description="Folder (or URI) of the tables: <path>/<table>.")
    catalog: str = Field("", description="Catalog that holds the tables instead of the path.")
    schema_: str = Field("", alias="schema", description="Schema in that catalog (or alone, in the default one).")
    history: str = Field("interval 3650 days", description="How long old versions of training inputs are kept.")
    max_commit_mb: Positive = Field(64, description="Largest chunk that the driver writes in one commit.")


class SparkSection(Section):
    """What the session is started with; ignored where a session is already running."""

    master: str = Field("", description="Master for local use, such as local[2,4]; empty: all cores, 4 tries a task.")
    driver_memory: str = Field("2g", description="Heap of the driver.")
    settings: dict[str, str] = Field({}, description="Further Spark settings, as Spark spells them.")


class PipelineSection(Section):
    """What the job `pipeline` runs."""

    steps: tuple[StepName, ...] = Field(
        ("import_folder", "extract_features", "assign_splits", "train_models", "evaluate_models", "write_report"),
        description="Steps, in order.",
    )


class SandboxSection(Section):
    """The library that `compose_library` composes."""

    path: Path = Field(Path("data/sandbox"), description="Folder for the composed clips and their truth.")
    seed: int = Field(7, description="Seed of every note.")
    artists_per_genre: Positive = Field(6, description="Artists in each genre.")
    songs_per_artist: Positive = Field(3, description="Songs by each artist.")
    seconds: float = Field(30.0, gt=1.0, description="Length of a song.")
    genres: tuple[str, ...] = Field((), description="Genres to compose; empty: all.")
    broken_files: bool = Field(True, description="Add a few files that cannot be used.")


class FolderSection(Section):
    """A library of audio files."""

    path: Path = Field(Path("data/music"), description="Folder with the audio files.")
    labels: Literal["directory", "tags", "manifest", "fma", "jamendo"] = Field(
        "directory", description="Where genres come from."
    )
    manifest: Path | None = Field(None, description="CSV or Parquet of labels; for fma and jamendo a folder.")
    ignore_columns: tuple[str, ...] = Field((), description="Columns of the manifest that are not read.")
    encoding: str = Field("auto", description="Encoding of the manifest; auto: UTF-8, UTF-16 or Windows-1252.")
    label_separator: str = Field(
        "auto", min_length=1, description='What divides a cell with several genres; "auto" decides, "none" never does.'
    )
    fma_labels: Literal["genre_top", "genres_all"] = Field(
        "genre_top", description="FMA: one top genre a track, or all its genres with those above them."
    )
    subset: Literal["", "small", "medium", "large", "full"] = Field(
        "", description="FMA subset (small, medium, large, full); empty: all files found."
    )
    jamendo_split: str = Field("split-0", description="Which of the published splits of MTG-Jamendo.")
    licence: str = Field("", description="Licence stored where the source states none.")
    genre_aliases: dict[str, str] = Field({}, description="Spelling = genre it means.")
    genre_parents: dict[str, str] = Field({}, description="Genre = its parent genre.")
    batch_files: Positive = Field(256, description="Files in one commit; a crash repeats at most this many.")


class SyncSection(Section):
    """What becomes of songs, labels and clips that their source no longer has."""

    gone: Literal["retire", "keep"] = Field(
        "retire",
        description="retire: they are kept with a date and count no longer, until they come back; keep: they go on "
        "counting. Parts of the split never move.",
    )
    max_share: Share = Field(
        0.2,
        description="A step stops and retires nothing where more than this share of a source's songs is gone, as of a "
        "folder that is not mounted. Ten songs may always go, but no more than half. 1: no bound.",
    )


class ClipSection(Section):
    """Which cut of a file is used, and how it is made comparable."""

    position: Literal["start", "middle"] | float = Field("middle", description="start, middle, or an offset in s.")
    seconds: float = Field(30.0, gt=0.0, description="Length of the cut; shorter files are used whole.")
    min_seconds: float = Field(1.0, gt=0.0, description="Files with less sound are quarantined.")
    normalise: Literal["off", "ebur128", "rms"] = Field("off", description="Loudness normalisation of the cut.")
    target_lufs: float = Field(-23.0, description="Target of ebur128.")
    target_rms_dbfs: float = Field(-20.0, description="Target of rms.")


class LimitsSection(Section):
    """Bounds that keep one bad input from stopping everything else."""

    max_file_mb: Positive = Field(2048, description="Larger files are quarantined.")
    max_clip_mb: Positive = Field(64, description="Largest decoded cut, over all its channels.")
    clip_seconds: float = Field(120.0, gt=0.0, description="Longest that one clip may take to decode and extract.")
    clip_memory_mb: Positive = Field(1024, description="Most memory that one clip may take beside its worker's own.")
    max_failed_share: Share = Field(0.5, description="A step that fails for more than this share exits with 1.")


class ExtractSection(Section):
    """Feature extraction."""

    feature_sets: tuple[str, ...] = Field(("mfcc12_frames", "summary9", "gtzan57"), description="Sets to extract.")
    batch_rows: Positive = Field(32, description="Clips in one Arrow batch.")
    task_clips: Positive = Field(32, description="Clips in one Spark task; with fewer, cores end a chunk together.")
    chunk_clips: Positive = Field(2048, description="Clips in one commit; a crash repeats at most this many.")


class ImportFeaturesSection(Section):
    """A table of features that somebody else computed."""

    path: Path | None = Field(None, description="CSV, ARFF, Parquet or Arrow file, or a folder of part files.")
    name: str = Field("", pattern=r"^([a-z][a-z0-9_]*)?$", description="Name of the feature set that it becomes.")
    id: str = Field("", description="Column with the row's id.")
    labels: tuple[str, ...] = Field((), description="Columns with genres.")
    song: str = Field("", description="Column with the song's id; empty: the row's id is the song.")
    song_pattern: str = Field("", description="Regular expression whose first group cuts the song from the row's id.")
    artist: str = Field("", description="Column with the artist.")
    title: str = Field("", description="Column with the title.")
    album: str = Field("", description="Column with the album.")
    split: str = Field("", description="Column with the part: train, promotion or test.")
    split_lists: dict[str, Path] = Field({}, description="Part = file that lists the ids in it, one a line.")
    features: tuple[str, ...] = Field((), description="Feature columns; empty: all numeric ones that are not excluded.")
    exclude: tuple[str, ...] = Field((), description="Columns that are not features, beside those excluded by default.")
    include: tuple[str, ...] = Field((), description="Columns to keep although they are excluded by default.")
    categorical: tuple[str, ...] = Field(("key",), description="Columns whose numbers are names, not amounts.")
    layout: Literal["summary", "vector"] = Field(
        "summary", description="How features are stored: summary (a column each) or vector (one array, for embeddings)."
    )
    encoding: str = Field("auto", description="Encoding of a text; auto: UTF-8, UTF-16 or Windows-1252.")
    decimal: Literal["auto", ".", ","] = Field("auto", description="Decimal mark of numbers in a text.")
    label_separator: str = Field(
        "auto", min_length=1, description='What divides a cell with several genres; "auto" decides, "none" never does.'
    )
    genre_aliases: dict[str, str] = Field({}, description="Spelling = genre it means.")
    genre_parents: dict[str, str] = Field({}, description="Genre = its parent genre.")


class SplitsSection(Section):
    """How songs are divided into training, promotion and test parts."""

    name: str = Field("default", description="Name of the split.")
    seed: int = Field(7, description="Seed of the order in which groups are placed.")
    test: Share = Field(0.2, description="Share of songs in the test part.")
    promotion: Share = Field(0.1, description="Share of songs in the promotion part.")
    folds: Annotated[int, Field(ge=2, le=20)] = Field(5, description="Folds of the training part.")
    group_by: Literal["artist", "album", "song"] = Field("artist", description="What may not be divided.")
    max_group_share: Share = Field(0.02, description="From 1,000 songs on, a larger group stops the step.")
    declared: Literal["honour", "ignore"] = Field("honour", description="What to do with parts given by the source.")
    allow_declared_leak: bool = Field(False, description="Keep a declared split that leaks, and flag every figure.")

    @model_validator(mode="after")
    def _leaves_songs_to_train_on(self) -> "SplitsSection":
        if self.test + self.promotion >= 1.0:
            raise ValueError("test + promotion must leave songs to train on")
        return self


class Candidate(Section):
    """One entry of the candidate list: an estimator with a grid, on each of some feature sets."""

    engine: EngineName
    estimator: str
    feature_sets: tuple[FeatureSetName, ...] = ()
    grid: dict[str, list[Any]] = {}


class TrainSection(Section):
    """What is learnt, from what, and by whom."""

    feature_sets: tuple[FeatureSetName, ...] = Field(
        ("summary9", "mfcc12_frames"),
        description='Sets that candidates train on; ["summary9", "groove"] as an entry joins two column by column.',
    )
    candidates: tuple[Candidate, ...] = Field((), description="Candidates; empty: those of the preset.")
    preset: Literal["quick", "full"] = Field(
        "quick",
        description="Where no candidates are listed: quick (a few estimators that suit the size of the data, their "
        "grids by successive halving on folds) or full (every estimator of both engines with its whole grid).",
    )
    budget_minutes: float | None = Field(
        None, gt=0.0, description="No candidate is started after so many minutes of train_models; unset: no limit."
    )
    genres: tuple[str, ...] = Field((), description="Genres to tell apart; empty: all with enough songs.")
    level: Literal["genre", "parent"] = Field("genre", description="Train on genres or on their parents.")
    labels: Literal["drop", "rarest", "multi"] = Field("drop", description="What a song with several genres means.")
    min_songs: Positive = Field(10, description="Genres with fewer songs are left out.")
    max_songs: int = Field(0, ge=0, description="At most so many songs a genre; 0: no bound.")
    balance: Literal["none", "downsample", "weights"] = Field("none", description="How uneven genres are treated.")
    keep_features: tuple[str, ...] = Field(
        (), description="Imported features to keep although their values give the genre away."
    )
    where: Annotated[str, AfterValidator(check_condition)] = Field(
        "", description="SQL condition on songs, clips and features that a row must meet."
    )
    metric: Literal[
        "macro_f1", "accuracy", "balanced_accuracy", "weighted_f1", "macro_average_precision", "micro_average_precision"
    ] = Field("macro_f1", description="Metric that selects; with labels = multi an average precision.")
    frames_per_song: Positive = Field(100, description="Frames of a song that frame models are trained on.")
    calibrate: bool = Field(True, description="Turn margins into probabilities on grouped folds.")
    max_matrix_mb: Positive = Field(1024, description="Largest training matrix that is sent to every worker.")
    shared_path: Path | None = Field(None, description="Folder that all workers read: the matrix goes there instead.")
    seed: int = Field(7, description="Seed of every random choice.")


class ModelsSection(Section):
    """Model files."""

    path: Path = Field(Path("data/models"), description="Folder of the model files (a volume on Databricks).")


class EvaluateSection(Section):
    """How models are judged."""

    part: Literal["test", "promotion"] = Field("test", description="Part to report on.")
    bootstrap: Positive = Field(1000, description="Bootstrap samples of groups behind an interval.")
    permutations: Positive = Field(2000, description="Permutations behind a p-value.")
    importance_features: Positive = Field(
        200, description="Features whose importance is measured: of more, those that the model weighs most."
    )
    importance_repeats: Positive = Field(5, description="Shuffles of each feature behind its importance.")
    min_groups: Positive = Field(5, description="No interval of a proportion (accuracy, recall) below so many groups.")
    min_bootstrap_groups: Positive = Field(
        20, description="No bootstrap interval (macro-F1, precision, importances) below so many groups."
    )
    seed: int = Field(7, description="Seed of bootstrap and permutations.")


class ReportSection(Section):
    """The page that people read."""

    path: Path = Field(Path("data/report"), description="Folder of index.html and its pictures.")
    title: str = Field("Genre Atlas", description="Heading of the page.")
    embed_audio: bool = Field(False, description="Put the confused songs into the page, to listen to.")
    max_audio_songs: Positive = Field(8, description="At most so many songs are embedded.")
    max_genres: Positive = Field(16, description="Genres in pictures: the largest of those told apart.")
    sample_per_genre: Positive = Field(300, description="Rows of a genre that pictures of features are drawn from.")
    seed: int = Field(7, description="Seed of that sample and of the drawn tree.")
