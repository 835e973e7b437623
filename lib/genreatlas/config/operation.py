"""The configuration's sections of a library in use: upkeep, retraining, scoring, drift, tracking, export."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from genreatlas.config.sections import EXPERT, EngineName, Positive, Section, Share, StepName, seed_of


class HousekeepingSection(Section):
    """Upkeep of the tables."""

    optimise: bool = Field(True, description="Merge small files and cluster them.")
    never_optimise: tuple[str, ...] = Field(
        ("clip_audio",),
        description="Tables whose files are not merged: extraction reads them by commit.",
        json_schema_extra=EXPERT,
    )
    vacuum: bool = Field(True, description="Delete files that no version within the retention needs.")
    retain_hours: Annotated[int, Field(ge=168)] = Field(
        168,
        description="Hours to keep old versions of tables that training does not read; others: store.history.",
    )
    allow_orphans: bool = Field(
        False,
        description="Also delete versions that training sets of models are rebuilt from; prints the models.",
        json_schema_extra=EXPERT,
    )


class RetrainSection(Section):
    """Retraining on a schedule, and the rules of promotion."""

    steps: tuple[StepName, ...] = Field(
        (
            "import_folder", "extract_features", "link_recordings", "assign_splits", "train_models", "promote_model",
            "measure_drift", "map_genres", "find_neighbours",
        ),
        description="Steps of the job retrain, in order.",
    )  # fmt: skip
    alias: str = Field("champion", pattern=r"^[a-z][a-z0-9_]*$", description="Name of the model in use.")
    engines: tuple[EngineName, ...] = Field(
        ("sklearn", "numpy", "stack", "spark", "networks"), description="Engines whose models may become champion."
    )
    min_gain: float = Field(
        0.0, ge=0.0, description="The challenger's metric must exceed the champion's by more than this."
    )
    max_genre_fall: float = Field(
        0.05, ge=0.0, description="No genre's F1 (several labels: average precision) may fall by more than this."
    )
    confidence: float = Field(
        0.95, gt=0.5, lt=1.0, description="Confidence of the gain and of the falls per genre.", json_schema_extra=EXPERT
    )
    bootstrap: Positive = Field(
        2000, description="Bootstrap samples of groups behind the decision.", json_schema_extra=EXPERT
    )
    min_groups: Positive = Field(
        30,
        description="Fewest groups for a promotion over a champion (30: docs/intervals.md).",
        json_schema_extra=EXPERT,
    )
    min_genre_groups: Positive = Field(
        10, description="A genre's fall is not tested on fewer groups than this.", json_schema_extra=EXPERT
    )
    seed: int = seed_of("the bootstrap")


class RollbackSection(Section):
    """Return to an earlier model."""

    model_id: str = Field("", description="Model to use from now on; empty: the previous champion.")
    reason: str = Field("", description="Reason for the rollback, kept in the table promotions.")


class ScoreSection(Section):
    """Scoring of clips and files with the model in use."""

    path: Path | None = Field(
        None, description="Folder of audio files, or a table with a column path; empty: the store's clips."
    )
    encoding: str = Field("auto", description="Encoding of that table; auto: UTF-8, UTF-16 or Windows-1252.")
    model: str = Field("champion", description="Alias or id of the model.")
    hop_s: float = Field(
        0.0, ge=0.0, description="Hop between the windows of a file, in seconds; 0: the length of a window."
    )
    max_windows: int = Field(0, ge=0, description="Most windows of a file, evenly spread; 0: no limit.")
    max_set: int = Field(
        0,
        ge=0,
        description="Most genres of a prediction set; a larger set counts as an abstention. 0: half of all genres, at "
        "most 100.",
    )
    batch_files: Positive = Field(
        256, description="Files in one commit; a crash repeats at most this many.", json_schema_extra=EXPERT
    )
    task_files: Positive = Field(4, description="Files in one Spark task.", json_schema_extra=EXPERT)


class DriftSection(Section):
    """Comparison of new songs with the training data of the model in use."""

    max_rows: Positive = Field(
        50_000, description="Most new rows that are compared; of more, a sample.", json_schema_extra=EXPERT
    )
    min_rows: Positive = Field(
        200,
        description="Fewest new songs for a comparison; with fewer, chance alone gives a PSI of 0.05 and more.",
        json_schema_extra=EXPERT,
    )
    psi_warning: Share = Field(0.2, description="Population stability index from which a feature is named.")


class MlflowSection(Section):
    """Logging to MLflow; nothing is logged without a tracking URI."""

    tracking_uri: str = Field("", description="Where runs are logged, such as http://host:5000 or file:/path.")
    registry_uri: str = Field("", description="Where models are registered; empty: the tracking URI.")
    experiment: str = Field("genreatlas", description="MLflow experiment.")
    model_name: str = Field("genreatlas", description="Registered model (on Unity Catalog catalog.schema.name).")


class ExportSection(Section):
    """Shards of feature sets with songs, labels and split, for training elsewhere."""

    path: Path = Field(Path("data/export"), description="Folder of the shards; one that all workers share.")
    feature_sets: tuple[str, ...] = Field(
        ("mel128",),
        description="Sets of frames, events or bytes to write, such as mel128 or rhythm_notes; imported tables are not "
        "exported.",
    )
    format: Literal["npz", "parquet"] = Field(
        "npz", description="npz (concatenated arrays) or parquet (one row per clip)."
    )
    level: Literal["genre", "parent"] = Field("genre", description="Label songs with genres or with their parents.")
    shard_mb: Positive = Field(
        64, description="Values in one shard; a shard may exceed this by one clip.", json_schema_extra=EXPERT
    )
