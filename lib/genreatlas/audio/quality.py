"""Odd but usable: what a reader of ``clips`` may want to leave out or look at."""

from collections.abc import Collection

from genreatlas.audio.decode import Signal
from genreatlas.audio.probe import AudioInfo

#: Flag = what it says. The data dictionary and the report print it.
QUALITY_FLAGS = {
    "above_full_scale": "a sample of the cut lies beyond full scale (usual for loud MP3s)",
    "clipped": "at least three runs of three samples in a row at or above full scale",
    "foreign_bytes": "other bytes, neither sound nor tags, stand between the frames and are passed over",
    "high_sample_rate": "more than 48 kHz",
    "joined": "several files in one, such as a chained Ogg or MP3s put together: it may hold more than one song",
    "long_file": "an hour or more: a mix or an album rather than a song",
    "low_bit_rate": "less than 64 kbit/s",
    "low_sample_rate": "less than 22.05 kHz: no energy where features look for brightness",
    "mono": "one channel",
    "multichannel": "more than two channels, mixed with equal weights",
    "shorter_than_declared": "more than a second shorter than its source says; perhaps cut in transfer",
    "shorter_than_window": "the whole file is shorter than the configured cut",
    "truncated": "the file ends before its header says, or in the middle of a frame",
    "wrong_header": "the header states another length than the file has; what is there is used",
}

_CLIPPED_RUNS = 3


def quality_flags(
    info: AudioInfo, signal: Signal | None, window_s: float, known: Collection[str] = ()
) -> tuple[str, ...]:
    """Flags of a file and its cut, sorted.

    Parameters
    ----------
    signal : the decoded cut; without it, flags that it decides are not raised.
    window_s : configured length of the cut, in seconds.
    known : flags that the file's bytes raised already.
    """
    holds = {
        "above_full_scale": signal is not None and signal.peak > 1.0,
        "clipped": signal is not None and signal.clipped >= _CLIPPED_RUNS,
        "high_sample_rate": info.sample_rate > 48_000,
        "long_file": info.duration_s >= 3600,
        "low_bit_rate": info.bit_rate < 64_000,
        "low_sample_rate": info.sample_rate < 22_050,
        "mono": info.channels == 1,
        "multichannel": info.channels > 2,
        "shorter_than_window": info.duration_s < window_s - 0.5,
        "truncated": signal is not None and signal.truncated,
    }
    return tuple(sorted(flag for flag in QUALITY_FLAGS if flag in known or holds.get(flag)))
