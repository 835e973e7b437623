"""``[extract]``: feature sets to extract, and pretrained networks whose outputs are feature sets."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from genreatlas.config.joined import FeatureSetName
from genreatlas.config.sections import EXPERT, Positive, Section


class EmbeddingEntry(Section):
    """A pretrained network (ONNX file) that is applied to patches of a log-mel spectrogram.

    It produces the feature set ``name``, a vector with statistics of its embedding over a clip's patches, and, if
    ``tags`` are given, the feature set ``<name>_tags`` with one column per tag.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the feature set.")
    file: Path = Field(description="ONNX file of the network, without external data files.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file; part of the set's version.")
    licence: str = Field(min_length=1, description="Licence of the weights.")
    taught: str = Field(
        "",
        description="Task and data that the network was trained on; shown beside scores, after the word 'taught'.",
    )
    sample_rate: Positive = Field(description="Sample rate that clips are resampled to, in Hz.")
    n_fft: Positive = Field(description="Length of the Fourier transform, in samples.")
    window: int = Field(0, ge=0, description="Length of the Hann window, in samples; 0: n_fft.")
    hop: Positive = Field(description="Hop between frames, in samples.")
    centred: bool = Field(True, description="Whether frame i is centred at sample i * hop (the clip is zero-padded).")
    n_mels: Positive = Field(description="Number of mel bands.")
    low_hz: float = Field(0.0, ge=0.0, description="Lower end of the mel bands, in Hz.")
    high_hz: float = Field(0.0, ge=0.0, description="Upper end of the mel bands, in Hz; 0: half of the sample rate.")
    mel_scale: Literal["slaney", "htk"] = Field("slaney", description="Formula of the mel scale.")
    mel_norm: Literal["slaney", "none"] = Field(
        "slaney", description="Normalisation of mel filters: slaney (equal area) or none (height 1)."
    )
    power: Literal[1, 2] = Field(2, description="Mel bands are sums of magnitudes (1) or of powers (2).")
    logarithm: Literal["log10", "ln", "none"] = Field(
        "log10", description="Logarithm that is taken of log_scale * band + log_shift: log10, ln or none."
    )
    log_scale: float = Field(1.0, gt=0.0, description="Factor of the mel bands inside the logarithm.")
    log_shift: float = Field(
        0.0, ge=0.0, description="Term added inside the logarithm, so that it is finite for silence."
    )
    patch: Positive = Field(description="Frames of one patch; shorter clips are repeated to fill it.")
    patch_hop: Positive = Field(description="Frames between the starts of patches; equal to patch: no overlap.")
    axes: tuple[Literal["batch", "time", "mels", "one"], ...] = Field(
        ("batch", "time", "mels"), description="Axes of the network's input, in order; one: an axis of length 1."
    )
    output: str = Field(min_length=1, description="Name of the output with the embedding, (batch, dimensions).")
    dimensions: Positive = Field(description="Number of dimensions of the embedding.")
    statistics: tuple[Literal["mean", "std"], ...] = Field(
        ("mean", "std"), min_length=1, description="Statistics of each dimension over a clip's patches."
    )
    tags_output: str = Field("", description="Name of the output with tag probabilities, (batch, tags); empty: none.")
    tags: tuple[str, ...] = Field((), description="Names of the tags, in the network's order.")

    @model_validator(mode="after")
    def _fits_together(self) -> "EmbeddingEntry":
        if self.window > self.n_fft:
            raise ValueError(f"window = {self.window} is longer than n_fft = {self.n_fft}")
        if self.high_hz > self.sample_rate / 2 or (self.high_hz and self.high_hz <= self.low_hz):
            raise ValueError(f"high_hz = {self.high_hz:g} must lie above low_hz and at most at half of the sample_rate")
        if sorted(one for one in self.axes if one != "one") != ["batch", "mels", "time"] or self.axes[0] != "batch":
            raise ValueError("axes needs batch first, and time and mels once each")
        if self.logarithm != "none" and self.log_shift == 0.0:
            raise ValueError(
                "log_shift = 0: the logarithm of silence is infinite. Set the value that the network was trained with"
            )
        if len(set(self.statistics)) != len(self.statistics):
            raise ValueError("statistics lists one twice")
        if bool(self.tags_output) != bool(self.tags):
            raise ValueError("tags_output and tags must be set together")
        columns = self.tag_columns
        if twice := sorted({column for column in columns if columns.count(column) > 1}):
            raise ValueError(f"tags: {', '.join(twice)} is the column of two tags. Rename one")
        return self

    @property
    def tag_columns(self) -> tuple[str, ...]:
        """Column of each tag: ``tag_`` and its lower-case name, with _ for characters other than letters and digits."""
        return tuple(f"tag_{re.sub(r'[^0-9a-z]+', '_', tag.lower()).strip('_')}" for tag in self.tags)

    @property
    def tags_name(self) -> str:
        """Name of the set with the tags."""
        return f"{self.name}_tags"


class RecordingsSection(Section):
    """Copies of a recording, found by the feature set `fingerprint`."""

    timbre: FeatureSetName = Field(
        "gtzan57",
        description="Feature set to compare songs with equal title or ISRC if their clips overlap by less than 15 s.",
    )


class ExtractSection(Section):
    """Feature extraction."""

    feature_sets: tuple[str, ...] = Field(
        ("mfcc12_frames", "summary9", "gtzan57", "fingerprint"), description="Feature sets to extract."
    )
    embeddings: tuple[EmbeddingEntry, ...] = Field(
        (),
        description="Pretrained networks whose outputs are feature sets: [[extract.embeddings]], docs/embeddings.md.",
    )
    batch_rows: Positive = Field(32, description="Clips per Arrow batch.", json_schema_extra=EXPERT)
    task_clips: Positive = Field(
        32,
        description="Clips per Spark task; smaller tasks leave fewer cores idle at the end of a chunk.",
        json_schema_extra=EXPERT,
    )
    chunk_clips: Positive = Field(
        2048, description="Clips per commit; at most this many are repeated after a crash.", json_schema_extra=EXPERT
    )
