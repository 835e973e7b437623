"""What happens between a file and its features, named by one id, and done in one place."""

from genreatlas.audio.decode import DECODER, Signal, read_clip, resample
from genreatlas.audio.loudness import MAX_GAIN_DB, Loudness, normalise
from genreatlas.audio.probe import Layout, Source
from genreatlas.audio.window import window_rule
from genreatlas.config import ClipSection
from genreatlas.ids import stable_id

__all__ = ["Loudness", "Signal", "normalise", "prepare", "preprocessing_id", "read_clip", "resample"]

_MONO_RULE = "mean of channels"
_RATE_RULE = "soxr HQ where the rate differs"


def preprocessing_id(clip: ClipSection) -> str:
    """Hash of everything that happens to a clip before its features are computed.

    Window rule and length, mono rule, normalisation with its target and bound, rate rule, and the
    decoder's name. Features with different ids must not meet in one training matrix.
    """
    target = {"off": None, "ebur128": clip.target_lufs, "rms": clip.target_rms_dbfs}[clip.normalise]
    bound = None if target is None else MAX_GAIN_DB
    rules = (window_rule(clip), _MONO_RULE, clip.normalise, target, bound, _RATE_RULE, DECODER)
    return stable_id("preprocessing", *rules)


def prepare(
    source: Source,
    start_s: float,
    length_s: float,
    clip: ClipSection,
    max_mb: int | None = None,
    layout: Layout | None = None,
) -> tuple[Signal, Loudness]:
    """Decode a cut, mix it to mono and normalise it, at the source's rate.

    Raises
    ------
    ClipError : see :func:`genreatlas.audio.decode.read_clip`.
    """
    signal = read_clip(source, start_s, length_s, max_mb, layout)
    samples, loudness = normalise(signal.samples, signal.sample_rate, clip)
    return Signal(samples, signal.sample_rate, signal.channels, signal.peak, signal.clipped, signal.truncated), loudness
