"""``[extract]``: which feature sets are extracted, and pretrained networks whose outputs are feature sets."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from genreatlas.config.joined import FeatureSetName
from genreatlas.config.sections import EXPERT, Positive, Section


class EmbeddingEntry(Section):
    """A pretrained network, stored as an ONNX file, that is run over patches of a log-mel spectrogram.

    It makes the feature set ``name``, a vector of statistics of its embedding over a clip's patches, and where it names
    tags the set ``<name>_tags`` with a column a tag.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the feature set.")
    file: Path = Field(description="ONNX file, whole: without external data.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Hash of the file; part of the set's version.")
    licence: str = Field(min_length=1, description="Licence of the weights.")
    taught: str = Field(
        "", description="What the network was taught, and on what data; shown beside scores, after 'taught'."
    )
    sample_rate: Positive = Field(description="Rate that clips are resampled to, in Hz.")
    n_fft: Positive = Field(description="Points of the Fourier transform.")
    window: int = Field(0, ge=0, description="Samples of the Hann window; 0: n_fft.")
    hop: Positive = Field(description="Samples between neighbouring frames.")
    centred: bool = Field(True, description="Whether frame i is centred at i * hop (with zeros before the first).")
    n_mels: Positive = Field(description="Mel bands.")
    low_hz: float = Field(0.0, ge=0.0, description="Lower end of the mel bands, in Hz.")
    high_hz: float = Field(0.0, ge=0.0, description="Upper end of the mel bands, in Hz; 0: half of the sample rate.")
    mel_scale: Literal["slaney", "htk"] = Field("slaney", description="Formula of the mel scale.")
    mel_norm: Literal["slaney", "none"] = Field("slaney", description="slaney: bands of equal area; none: of height 1.")
    power: Literal[1, 2] = Field(2, description="Bands are sums of magnitudes (1) or of powers (2).")
    logarithm: Literal["log10", "ln", "none"] = Field("log10", description="Logarithm of log_scale * band + log_shift.")
    log_scale: float = Field(1.0, gt=0.0, description="Factor inside the logarithm.")
    log_shift: float = Field(0.0, ge=0.0, description="Added inside the logarithm, so that silence has one.")
    patch: Positive = Field(description="Frames of one patch. Shorter clips are repeated until they fill it.")
    patch_hop: Positive = Field(description="Frames between neighbouring patches; patch: without overlap.")
    axes: tuple[Literal["batch", "time", "mels", "one"], ...] = Field(
        ("batch", "time", "mels"), description="Axes of the network's input; one: an axis of length 1."
    )
    output: str = Field(min_length=1, description="Output that is the embedding, (batch, dimensions).")
    dimensions: Positive = Field(description="Dimensions of the embedding.")
    statistics: tuple[Literal["mean", "std"], ...] = Field(
        ("mean", "std"), min_length=1, description="Statistics of each dimension over a clip's patches."
    )
    tags_output: str = Field("", description="Output with a probability a tag, (batch, tags); empty: none.")
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
            raise ValueError("statistics names one twice")
        if bool(self.tags_output) != bool(self.tags):
            raise ValueError("tags_output and tags are given together, or neither")
        columns = self.tag_columns
        if twice := sorted({column for column in columns if columns.count(column) > 1}):
            raise ValueError(f"tags: {', '.join(twice)} is the column of two tags. Rename one")
        return self

    @property
    def tag_columns(self) -> tuple[str, ...]:
        """Column of each tag: ``tag_`` and its name in small letters, with _ for what is neither letter nor digit."""
        return tuple(f"tag_{re.sub(r'[^0-9a-z]+', '_', tag.lower()).strip('_')}" for tag in self.tags)

    @property
    def tags_name(self) -> str:
        """Name of the set with the tags."""
        return f"{self.name}_tags"


class RecordingsSection(Section):
    """Copies of a recording, found by the feature set `fingerprint`."""

    timbre: FeatureSetName = Field(
        "gtzan57",
        description="What songs are compared by where their clips have less than 15 s in common, beside title or ISRC.",
    )


class ExtractSection(Section):
    """Feature extraction."""

    feature_sets: tuple[str, ...] = Field(
        ("mfcc12_frames", "summary9", "gtzan57", "fingerprint"), description="Sets to extract."
    )
    embeddings: tuple[EmbeddingEntry, ...] = Field(
        (),
        description="Pretrained networks whose outputs are feature sets: [[extract.embeddings]], docs/embeddings.md.",
    )
    batch_rows: Positive = Field(32, description="Clips in one Arrow batch.", json_schema_extra=EXPERT)
    task_clips: Positive = Field(
        32, description="Clips in one Spark task; with fewer, cores end a chunk together.", json_schema_extra=EXPERT
    )
    chunk_clips: Positive = Field(
        2048, description="Clips in one commit; a crash repeats at most this many.", json_schema_extra=EXPERT
    )
