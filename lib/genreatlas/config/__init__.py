"""Configuration: TOML files layered over defaults, checked once, then frozen."""

from genreatlas.config.loading import Config, load_config, parse_override, to_toml
from genreatlas.config.sections import (
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
    TrainSection,
)

__all__ = [
    "Candidate",
    "ClipSection",
    "Config",
    "EvaluateSection",
    "ExtractSection",
    "FolderSection",
    "ImportFeaturesSection",
    "LimitsSection",
    "ModelsSection",
    "PipelineSection",
    "ReportSection",
    "SandboxSection",
    "Section",
    "SparkSection",
    "SplitsSection",
    "StoreSection",
    "TrainSection",
    "load_config",
    "parse_override",
    "to_toml",
]
