"""Sections of what is done with trained models, and of keeping the store in shape."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from genreatlas.config.sections import EngineName, Positive, Section, Share, StepName


class RebuildSection(Section):
    """A training set of the past."""

    model_id: str = Field("", description="Model whose training set is wanted.")
    path: Path = Field(Path("data/rebuilt"), description="Folder: the matrix is written below it, by model.")


class HousekeepingSection(Section):
    """Upkeep of the tables."""

    optimise: bool = Field(True, description="Merge small files and cluster them.")
    never_optimise: tuple[str, ...] = Field(
        ("clip_audio",), description="Tables that are left as they were written: extraction reads them by commit."
    )
    vacuum: bool = Field(True, description="Delete files that no version within the retention needs.")
    retain_hours: Annotated[int, Field(ge=168)] = Field(
        168, description="How long tables that training does not read keep old versions; theirs is store.history."
    )
    allow_orphans: bool = Field(
        False, description="Delete versions that a model's training set is rebuilt from, and say of which models."
    )


class RetrainSection(Section):
    """Retraining on a schedule, and who becomes champion."""

    steps: tuple[StepName, ...] = Field(
        ("import_folder", "extract_features", "assign_splits", "train_models", "promote_model", "measure_drift"),
        description="Steps of the job retrain, in order: take in what is new, train, decide.",
    )
    alias: str = Field("champion", pattern=r"^[a-z][a-z0-9_]*$", description="Name of the model in use.")
    engines: tuple[EngineName, ...] = Field(
        ("sklearn", "spark"), description="Engines whose models may become champion."
    )
    min_gain: float = Field(
        0.0, ge=0.0, description="The challenger's metric must exceed the champion's by more than this."
    )
    max_genre_fall: float = Field(
        0.05, ge=0.0, description="No genre's F1 (several labels: average precision) may fall by more than this."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1.0, description="Confidence of both statements.")
    bootstrap: Positive = Field(2000, description="Bootstrap samples of groups behind the decision.")
    min_groups: Positive = Field(20, description="No promotion over a champion on fewer groups than this.")
    min_genre_groups: Positive = Field(10, description="A genre's fall is not tested on fewer groups than this.")
    seed: int = Field(7, description="Seed of the bootstrap.")


class RollbackSection(Section):
    """Which model an earlier decision is taken back for."""

    model_id: str = Field("", description="Model to use from now on; empty: the one before the present one.")
    reason: str = Field("", description="Why, for the table promotions.")


class ScoreSection(Section):
    """Scoring clips and files with the model in use."""

    path: Path | None = Field(
        None, description="Folder of audio files, or a table with a column path; empty: the store's clips."
    )
    encoding: str = Field("auto", description="Encoding of that table; auto: UTF-8, UTF-16 or Windows-1252.")
    model: str = Field("champion", description="Alias or id of the model.")
    hop_s: float = Field(0.0, ge=0.0, description="Distance of the windows of a file; 0: their length.")
    max_windows: int = Field(0, ge=0, description="At most so many windows a file, evenly spread; 0: no bound.")
    batch_files: Positive = Field(256, description="Files in one commit; a crash repeats at most this many.")
    task_files: Positive = Field(4, description="Files in one Spark task.")


class DriftSection(Section):
    """How far new songs are from what the model in use was trained on."""

    max_rows: Positive = Field(50_000, description="New rows that are compared; more are sampled.")
    min_rows: Positive = Field(
        200, description="With fewer new songs nothing is compared: chance alone would give a PSI of 0.05 and more."
    )
    psi_warning: Share = Field(0.2, description="Population stability index from which a feature is named.")


class MlflowSection(Section):
    """Logging to MLflow; nothing is logged without a tracking URI."""

    tracking_uri: str = Field("", description="Where runs are logged, such as http://host:5000 or file:/path.")
    registry_uri: str = Field("", description="Where models are registered; empty: the tracking URI.")
    experiment: str = Field("genreatlas", description="MLflow experiment.")
    model_name: str = Field("genreatlas", description="Registered model (on Unity Catalog catalog.schema.name).")
