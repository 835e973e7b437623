"""Configuration: TOML files layered over defaults, checked once, then frozen."""

from genreatlas.config.collecting import FanOutSection, HostLimit
from genreatlas.config.every_noise import EveryNoiseSection
from genreatlas.config.exporting import ExportSection
from genreatlas.config.loading import Config, load_config, parse_override, to_toml, toml_value
from genreatlas.config.operating import (
    DriftSection,
    HousekeepingSection,
    MlflowSection,
    RebuildSection,
    RetrainSection,
    RollbackSection,
    ScoreSection,
)
from genreatlas.config.previews import DeezerSection, FetchPreviewsSection, HttpSection, PurgeSection
from genreatlas.config.sections import (
    ENGINES,
    Candidate,
    ClipSection,
    EvaluateSection,
    ExtractSection,
    FolderSection,
    ImportFeaturesSection,
    LimitsSection,
    ModelsSection,
    PipelineSection,
    ReportSection,
    SandboxSection,
    Section,
    SparkSection,
    SplitsSection,
    StoreSection,
    SyncSection,
    TrainSection,
)
from genreatlas.config.spotify import PlaylistsEntry, SearchEntry, SpotifySection
from genreatlas.config.world import WorldSection

__all__ = [
    "ENGINES",
    "Candidate",
    "ClipSection",
    "Config",
    "DeezerSection",
    "DriftSection",
    "EvaluateSection",
    "EveryNoiseSection",
    "ExportSection",
    "ExtractSection",
    "FanOutSection",
    "FetchPreviewsSection",
    "FolderSection",
    "HostLimit",
    "HousekeepingSection",
    "HttpSection",
    "ImportFeaturesSection",
    "LimitsSection",
    "MlflowSection",
    "ModelsSection",
    "PipelineSection",
    "PlaylistsEntry",
    "PurgeSection",
    "RebuildSection",
    "ReportSection",
    "RetrainSection",
    "RollbackSection",
    "SandboxSection",
    "ScoreSection",
    "SearchEntry",
    "Section",
    "SparkSection",
    "SplitsSection",
    "SpotifySection",
    "StoreSection",
    "SyncSection",
    "TrainSection",
    "WorldSection",
    "load_config",
    "parse_override",
    "to_toml",
    "toml_value",
]
