"""The configuration's sections, but for those of fetching. Defaults live here and make ``conf/base.toml``."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator
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
#: Names of the engines that a configuration may name, in order. :func:`genreatlas.models.engines.register` adds one.
ENGINES: dict[str, None] = {
    "spark": None,
    "sklearn": None,
    "numpy": None,
    "stack": None,
    "networks": None,
    "baseline": None,
}


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


#: Marks a key that is seldom changed: ``--help`` and conf/base.toml list these keys apart.
EXPERT: dict[str, JsonValue] = {"expert": True}


def seed_of(what: str) -> Any:
    """The field of a section's seed."""
    return Field(7, description=f"Seed of {what}; unset: the top-level seed.", json_schema_extra=EXPERT)


class StoreSection(Section):
    """Where tables live: a path, or a catalog and schema."""

    path: str = Field("data/tables", description="Folder or URI that holds the tables, as <path>/<table>.")
    catalog: str = Field("", description="Catalog that holds the tables instead of the path.")
    schema_: str = Field("", alias="schema", description="Schema in that catalog (or alone, in the default one).")
    history: str = Field(
        "interval 3650 days", description="How long old versions of training inputs are kept.", json_schema_extra=EXPERT
    )
    max_commit_mb: Positive = Field(
        64, description="Largest chunk that the driver writes in one commit, in MB.", json_schema_extra=EXPERT
    )


class SparkSection(Section):
    """Settings of a new session; ignored if a session is already running."""

    master: str = Field(
        "", description="Master for local use, such as local[2,4]; empty: all cores, 4 attempts per task."
    )
    driver_memory: str = Field("2g", description="Heap memory of the Spark driver, such as 2g.")
    settings: dict[str, str] = Field({}, description="Further Spark settings, as Spark spells them.")


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

    path: Path = Field(Path("data/sandbox"), description="Folder for the composed clips and their truth.")
    seed: int = seed_of("the composer")
    artists_per_genre: Positive = Field(6, description="Composed artists of each genre.")
    songs_per_artist: Positive = Field(3, description="Composed songs of each artist.")
    seconds: float = Field(30.0, gt=1.0, description="Length of a composed song, in seconds.")
    genres: tuple[str, ...] = Field(
        (),
        description="Genres to compose; empty: the eight standard ones. Two more, in turns and in runs, differ only in "
        "the order of drum hits.",
    )
    sounds: Literal["own", "exchanged"] = Field(
        "own",
        description="own: each genre has its own chords, voices and mix; exchanged: artists use those of all eight "
        "genres in turn, so that genres differ in rhythm only.",
    )
    broken_files: bool = Field(True, description="Add a few damaged files to the composed library.")


class FolderSection(Section):
    """A library of audio files."""

    path: Path = Field(Path("data/music"), description="Folder with the audio files.")
    labels: Literal["directory", "tags", "manifest", "fma", "jamendo"] = Field(
        "directory", description="Source of genre labels."
    )
    manifest: Path | None = Field(None, description="CSV or Parquet of labels; for fma and jamendo a folder.")
    ignore_columns: tuple[str, ...] = Field((), description="Columns of the manifest that are not read.")
    encoding: str = Field("auto", description="Encoding of the manifest; auto: UTF-8, UTF-16 or Windows-1252.")
    label_separator: str = Field(
        "auto",
        min_length=1,
        description='Separator of several genres in a cell; "auto": detected; "none": cells are not divided.',
    )
    fma_labels: Literal["genre_top", "genres_all"] = Field(
        "genre_top", description="FMA: one top genre a track, or all its genres with those above them."
    )
    subset: Literal["", "small", "medium", "large", "full"] = Field(
        "", description="FMA subset (small, medium, large, full); empty: all files found."
    )
    jamendo_split: str = Field(
        "split-0", description="Which published split of MTG-Jamendo: split-0 to split-4, its folders; empty: none."
    )
    licence: str = Field("", description="Licence stored where the source states none.")
    genre_aliases: dict[str, str] = Field(
        {}, description='Spellings, and the genre that each stands for, such as {"hip-hop/rap" = "hip hop"}.'
    )
    genre_parents: dict[str, str] = Field(
        {}, description='Genres, and the parent genre of each, such as {baroque = "classical"}.'
    )
    corrections: str = Field(
        "",
        description="Corrections by visitors of the site, which replace the folder's labels: the site's "
        "database (SQLite file or SQLAlchemy URL), or a table of song_id or sha256, genre_id and visitor.",
    )
    corrections_agree: Positive = Field(1, description="Visitors who have to name the same genre for a correction.")
    batch_files: Positive = Field(
        256, description="Files in one commit; a crash repeats at most this many.", json_schema_extra=EXPERT
    )


class SyncSection(Section):
    """Songs, labels and clips that their source no longer has."""

    gone: Literal["retire", "keep"] = Field(
        "retire",
        description="What happens to rows whose source is gone. retire: they get a date, and are not used until they "
        "return; keep: they are still used.",
    )
    max_share: Share = Field(
        0.2,
        description="Largest share of a source's songs that one run retires. If more are gone, for example because a "
        "folder is not mounted, the step retires none and stops. Up to ten songs may always be retired, if "
        "they are no more than half. 1: no limit.",
    )


class ClipSection(Section):
    """The part of a file that features are computed from, and its normalisation."""

    position: Literal["start", "middle"] | float = Field(
        "middle", description="Where the clip is cut from a file: start, middle, or an offset in seconds."
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
        64, description="Largest decoded clip over all channels, in MB.", json_schema_extra=EXPERT
    )
    clip_seconds: float = Field(
        120.0, gt=0.0, description="Time limit for decoding and extracting one clip, in seconds."
    )
    clip_memory_mb: Positive = Field(
        1024, description="Memory limit for one clip, in MB, beside what its worker holds.", json_schema_extra=EXPERT
    )
    max_failed_share: Share = Field(
        0.5, description="A step exits with code 1 where more than this share of its work failed."
    )


class ImportFeaturesSection(Section):
    """A table of precomputed features."""

    path: Path | None = Field(None, description="CSV, ARFF, Parquet or Arrow file, or a folder of part files.")
    name: str = Field(
        "", pattern=r"^([a-z][a-z0-9_]*)?$", description="Name of the feature set that the table becomes."
    )
    id: str = Field("", description="Column with the row's id.")
    labels: tuple[str, ...] = Field((), description="Columns with genres.")
    song: str = Field("", description="Column with the song's id; empty: the row's id is the song.")
    song_pattern: str = Field(
        "", description="Regular expression whose first group extracts the song's id from the row's id."
    )
    artist: str = Field("", description="Column with the artist.")
    title: str = Field("", description="Column with the title.")
    album: str = Field("", description="Column with the album.")
    split: str = Field("", description="Column with the part: train, promotion or test.")
    split_lists: dict[str, Path] = Field(
        {}, description="Parts (train, promotion, test), and for each a file that lists the ids in it, one a line."
    )
    features: tuple[str, ...] = Field((), description="Feature columns; empty: all numeric ones that are not excluded.")
    exclude: tuple[str, ...] = Field(
        (), description="Columns that are not features, in addition to those excluded by default."
    )
    include: tuple[str, ...] = Field((), description="Columns to keep although they are excluded by default.")
    categorical: tuple[str, ...] = Field(("key",), description="Numeric columns whose values are categories.")
    layout: Literal["summary", "vector"] = Field(
        "summary", description="How features are stored: summary (a column each) or vector (one array, for embeddings)."
    )
    encoding: str = Field("auto", description="Encoding of a text; auto: UTF-8, UTF-16 or Windows-1252.")
    decimal: Literal["auto", ".", ","] = Field("auto", description="Decimal mark of numbers in a text.")
    label_separator: str = Field(
        "auto",
        min_length=1,
        description='Separator of several genres in a cell; "auto": detected; "none": cells are not divided.',
    )
    genre_aliases: dict[str, str] = Field(
        {}, description='Spellings, and the genre that each stands for, such as {"hip-hop/rap" = "hip hop"}.'
    )
    genre_parents: dict[str, str] = Field(
        {}, description='Genres, and the parent genre of each, such as {baroque = "classical"}.'
    )


class SplitsSection(Section):
    """How songs are divided into training, promotion and test parts."""

    name: str = Field("default", description="Name of the split.")
    seed: int = seed_of("the order in which groups are placed")
    test: Share = Field(0.2, description="Share of songs in the test part.")
    promotion: Share = Field(0.1, description="Share of songs in the promotion part.")
    folds: Annotated[int, Field(ge=2, le=20)] = Field(5, description="Folds of the training part.")
    group_by: Literal["artist", "album", "song"] = Field(
        "artist", description="Songs with the same value of this are always in one part."
    )
    max_group_share: Share = Field(
        0.02,
        description="Largest share of all songs that a group may have; from 1,000 songs on, a larger group stops the "
        "step.",
    )
    declared: Literal["honour", "ignore"] = Field(
        "honour", description="Parts that the source gives: honour uses them, ignore does not."
    )
    allow_declared_leak: bool = Field(
        False, description="Use a declared split although it leaks, and flag every score."
    )

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
    """Training data, labels and candidates."""

    feature_sets: tuple[FeatureSetName, ...] = Field(
        ("summary9", "mfcc12_frames"),
        description='Sets that candidates train on; ["summary9", "groove"] as an entry joins two column by column.',
    )
    candidates: tuple[Candidate, ...] = Field((), description="Candidates; empty: those of the preset.")
    preset: Literal["quick", "full"] = Field(
        "quick",
        description="Candidates if none are listed: quick (a few estimators that suit the size of the data, their "
        "grids by successive halving on folds) or full (every estimator of every engine with its whole grid).",
    )
    budget_minutes: float | None = Field(
        None,
        gt=0.0,
        description="Minutes of train_models after which no further candidate is started; unset: no limit.",
    )
    genres: tuple[str, ...] = Field((), description="Genres to train on; empty: all with enough songs.")
    level: Literal["genre", "parent"] = Field("genre", description="Train on genres or on their parents.")
    labels: Literal["drop", "rarest", "multi"] = Field(
        "drop", description="Songs with several genres: drop them, keep the rarest genre, or learn all (multi)."
    )
    min_songs: Positive = Field(10, description="Genres with fewer songs are left out.")
    max_songs: int = Field(0, ge=0, description="Most songs of a genre that are trained on; 0: no limit.")
    balance: Literal["none", "downsample", "weights"] = Field(
        "none", description="Treatment of imbalanced genres: none, downsample or weights."
    )
    keep_features: tuple[str, ...] = Field(
        (), description="Imported features to keep although they look like a label leak."
    )
    where: Annotated[str, AfterValidator(check_condition)] = Field(
        "", description="SQL condition on songs, clips and features that a row must meet."
    )
    metric: Literal[
        "macro_f1", "accuracy", "balanced_accuracy", "weighted_f1", "macro_average_precision", "micro_average_precision"
    ] = Field(
        "macro_f1",
        description="Metric by which candidates are ranked; with labels = multi it has to be an average precision.",
    )
    frames_per_song: Positive = Field(100, description="Frames of a song that frame models are trained on.")
    calibrate: bool = Field(True, description="Fit probabilities and prediction sets on the folds.")
    max_matrix_mb: Positive = Field(
        1024,
        description="Largest training matrix sent to every worker, in MB; with a larger one, Spark fits lda only.",
        json_schema_extra=EXPERT,
    )
    shared_path: Path | None = Field(
        None, description="Folder that all workers can read; the matrix is written there instead of being sent to them."
    )
    seed: int = seed_of("every random choice")


class ModelsSection(Section):
    """Model files."""

    path: Path = Field(Path("data/models"), description="Folder of the model files (a volume on Databricks).")


class EvaluateSection(Section):
    """Evaluation of models."""

    part: Literal["test", "promotion"] = Field("test", description="Part to report on.")
    bootstrap: Positive = Field(
        1000, description="Bootstrap samples of groups behind an interval.", json_schema_extra=EXPERT
    )
    permutations: Positive = Field(2000, description="Permutations behind a p-value.", json_schema_extra=EXPERT)
    importance_features: Positive = Field(
        200,
        description="Features whose importance is measured: of more, those that the model weighs most.",
        json_schema_extra=EXPERT,
    )
    importance_repeats: Positive = Field(
        5, description="Shuffles of each feature behind its importance.", json_schema_extra=EXPERT
    )
    min_groups: Positive = Field(
        5, description="Fewest groups for an interval of a proportion (accuracy, recall).", json_schema_extra=EXPERT
    )
    min_bootstrap_groups: Positive = Field(
        30,
        description="Fewest groups for a bootstrap interval (macro-F1, precision, importances).",
        json_schema_extra=EXPERT,
    )
    seed: int = seed_of("bootstrap and permutations")


class ReportSection(Section):
    """The report: an HTML page with pictures."""

    path: Path = Field(Path("data/report"), description="Folder of index.html and its pictures.")
    title: str = Field("Genre Atlas", description="Title of the report.")
    embed_audio: bool = Field(False, description="Embed audio of confused songs, and of topics, in the report.")
    max_audio_songs: Positive = Field(8, description="Most songs of each of the two whose audio is embedded.")
    max_genres: Positive = Field(16, description="Most genres in a picture; the largest are shown.")
    sample_per_genre: Positive = Field(
        300, description="Rows of a genre that pictures of features are drawn from.", json_schema_extra=EXPERT
    )
    seed: int = seed_of("that sample and of the drawn tree")


class RebuildSection(Section):
    """The training set of a stored model."""

    model_id: str = Field("", description="Id of the model whose training set is rebuilt.")
    path: Path = Field(Path("data/rebuilt"), description="Folder: the matrix is written below it, by model.")


App = Literal["legacy", "extended", "development"]


class WorldSection(Section):
    """The sandbox world: a server on this machine that speaks Every Noise, Spotify, Deezer and a clip CDN."""

    start: bool = Field(
        False, description="Serve the sandbox world while a job runs; one that is running already is used."
    )
    port: int = Field(8440, ge=0, le=65530, description="First of four ports; 0: any that are free.")
    genres: int = Field(0, ge=0, description="Number of genres to generate; 0: those of the composed library.")
    songs: Positive = Field(
        150, description="Songs of a generated genre; their clips are those of the composed library."
    )
    seed: int = seed_of("made-up names and numbers")
    app: App = Field(
        "legacy",
        description="What the app may do: legacy (audio features, previews), extended (neither), or development "
        "(items of own playlists only, pages of 10 results, no batches).",
    )
    preview_lifetime_s: float = Field(
        900.0, gt=0.0, description="Lifetime of preview links, in seconds.", json_schema_extra=EXPERT
    )
    token_lifetime_s: float = Field(
        3600.0, gt=0.0, description="Lifetime of access tokens, in seconds.", json_schema_extra=EXPERT
    )
    fault_share: Share = Field(0.0, description="Share of requests that fail in a transient way.")
