"""Configuration sections for operation: housekeeping, retraining, scoring, drift, tracking, export."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from genreatlas.config.sections import EXPERT, EngineName, Positive, Section, Share, StepName, seed_of


class HousekeepingSection(Section):
    """Maintenance of the tables."""

    optimise: bool = Field(True, description="Compact small files of tables and cluster them.")
    never_optimise: tuple[str, ...] = Field(
        ("clip_audio",),
        description="Tables whose files are not compacted, because extraction reads them by commit.",
        json_schema_extra=EXPERT,
    )
    vacuum: bool = Field(True, description="Delete data files that no version within the retention period needs.")
    retain_hours: Annotated[int, Field(ge=168)] = Field(
        168,
        description="Hours to keep old versions of tables that training does not read; for others see store.history.",
    )
    allow_orphans: bool = Field(
        False,
        description="Also delete versions that stored models need to rebuild their training sets; prints the models.",
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
        ("sklearn", "numpy", "stack", "spark", "networks"), description="Engines whose models may be promoted."
    )
    min_gain: float = Field(
        0.0, ge=0.0, description="Promotion: the new model's metric must exceed the champion's by more than this."
    )
    max_genre_fall: float = Field(
        0.05,
        ge=0.0,
        description="Promotion: no genre's F1 (several labels: average precision) may decrease by more than this.",
    )
    confidence: float = Field(
        0.95,
        gt=0.5,
        lt=1.0,
        description="Promotion: confidence level of the gain and of the decrease per genre.",
        json_schema_extra=EXPERT,
    )
    bootstrap: Positive = Field(
        2000, description="Promotion: bootstrap samples of groups for the comparison.", json_schema_extra=EXPERT
    )
    min_groups: Positive = Field(
        30,
        description="Promotion: minimum number of groups to replace a champion (why 30: docs/intervals.md).",
        json_schema_extra=EXPERT,
    )
    min_genre_groups: Positive = Field(
        10,
        description="Promotion: minimum number of groups of a genre to test its decrease.",
        json_schema_extra=EXPERT,
    )
    seed: int = seed_of("the bootstrap")


class RollbackSection(Section):
    """Return to an earlier model."""

    model_id: str = Field("", description="Id of the model to use from now on; empty: the previous champion.")
    reason: str = Field("", description="Reason for the rollback, stored in the table promotions.")


class ScoreSection(Section):
    """Scoring of clips and files with the model in use."""

    path: Path | None = Field(
        None, description="Folder of audio files, or a table with a column path; unset: the store's clips."
    )
    encoding: str = Field("auto", description="Encoding of the table in path; auto: UTF-8, UTF-16 or Windows-1252.")
    model: str = Field("champion", description="Alias or id of the model.")
    hop_s: float = Field(
        0.0, ge=0.0, description="Hop between the windows of a file, in seconds; 0: the length of a window."
    )
    max_windows: int = Field(0, ge=0, description="Maximum windows per file, evenly spaced; 0: no limit.")
    max_set: int = Field(
        0,
        ge=0,
        description="Maximum genres in a prediction set; a larger set counts as an abstention. 0: half of all genres, "
        "at most 100.",
    )
    batch_files: Positive = Field(
        256, description="Files per commit; at most this many are repeated after a crash.", json_schema_extra=EXPERT
    )
    task_files: Positive = Field(4, description="Files per Spark task.", json_schema_extra=EXPERT)


class DriftSection(Section):
    """Comparison of new songs with the training data of the model in use."""

    max_rows: Positive = Field(
        50_000, description="Maximum new rows to compare; a sample is taken of more.", json_schema_extra=EXPERT
    )
    min_rows: Positive = Field(
        200,
        description="Minimum new songs for a comparison; with fewer, chance alone gives a PSI of 0.05 and more.",
        json_schema_extra=EXPERT,
    )
    psi_warning: Share = Field(0.2, description="Population stability index from which a feature is reported.")


class MlflowSection(Section):
    """Logging to MLflow; nothing is logged without a tracking URI."""

    tracking_uri: str = Field("", description="MLflow tracking URI, such as http://host:5000 or file:/path.")
    registry_uri: str = Field("", description="MLflow registry URI; empty: the tracking URI.")
    experiment: str = Field("genreatlas", description="Name of the MLflow experiment.")
    model_name: str = Field(
        "genreatlas", description="Name of the registered model (on Unity Catalog: catalog.schema.name)."
    )


class ExportSection(Section):
    """Shards of feature sets with songs, labels and split, for training elsewhere."""

    path: Path = Field(Path("data/export"), description="Folder of the shards, shared by all workers.")
    feature_sets: tuple[str, ...] = Field(
        ("mel128",),
        description="Feature sets of frames, events or bytes to write, such as mel128 or rhythm_notes; imported tables "
        "are not exported.",
    )
    format: Literal["npz", "parquet"] = Field(
        "npz", description="Format of the shards: npz (concatenated arrays) or parquet (one row per clip)."
    )
    level: Literal["genre", "parent"] = Field("genre", description="Label songs with genres or with their parents.")
    shard_mb: Positive = Field(
        64, description="Size of one shard in MB; it may be exceeded by one clip.", json_schema_extra=EXPERT
    )
