"""Decode one cut of a file to mono float samples. Only the cut is read and decoded."""

import math
from dataclasses import dataclass

import numpy as np

from genreatlas.audio.probe import AudioInfo, FileLayout, Sound, Source, open_sound, probe
from genreatlas.errors import ClipError, Reason

__all__ = ["AudioInfo", "Signal", "downmix", "probe", "read_clip", "reject_silence", "resample"]

#: Name of the decoder, part of every ``preprocessing_id``. Its version is not part of it.
DECODER = "libsndfile"
#: Release of the code that opens audio files. Increase it with every change of accepted files or of how lengths are
#: determined: files rejected by another release as no audio, broken or truncated are then tried again. 2: lengths are
#: determined from the file's content.
DECODER_RELEASE = "2"
#: Frames decoded at once, so that cuts of many channels are mixed down while they are in the cache.
_BLOCK = 65_536
#: Lossy formats. soundfile seeks after every read, and seeks are only exact if frames do not depend on earlier ones: an
#: MP3 read in blocks differed by 0.14 of full scale at their borders. Lossy cuts are therefore read in one block, with
#: preceding frames that are dropped; at 44.1 kHz the cut then equals the same part of the whole file to 1e-7.
_LOSSY = ("audio/mpeg", "audio/ogg")
_PREROLL = 16_384
#: Tolerance for the length of lossy files: headers and encoders differ by a few hundred samples.
END_TOLERANCE_S = 0.06
#: Minimum share of the cut that must be in the file. An incomplete cut with at least this share is used and flagged.
_LEAST_SHARE = 0.5
#: Peak up to which a cut is silent: one step of 16 bits, the level of dither, -90.3 dBFS.
SILENCE_PEAK = 2.0**-15
SILENCE_DBFS = 20.0 * math.log10(SILENCE_PEAK)
#: Highest 16-bit level, minus half a step.
_FULL_SCALE = 1.0 - 1.5 * 2.0**-15
_CLIPPED_RUN = 3


@dataclass(frozen=True)
class Signal:
    """A decoded cut.

    Parameters
    ----------
    samples : (n,) float32, mono, full scale at 1; values beyond it are kept.
    sample_rate : Hz, of the source.
    channels : number of channels before downmixing.
    peak : highest absolute sample of any channel before downmixing.
    clipped : number of runs of three or more consecutive samples at or above full scale, over all channels.
    truncated : the file ends early, within the cut or at its end.
    """

    samples: np.ndarray
    sample_rate: int
    channels: int = 1
    peak: float = 0.0
    clipped: int = 0
    truncated: bool = False

    @property
    def length_s(self) -> float:
        """Length, in seconds."""
        return len(self.samples) / self.sample_rate


def read_clip(
    source: Source,
    start_s: float = 0.0,
    length_s: float | None = None,
    max_mb: int | None = None,
    layout: FileLayout | None = None,
) -> Signal:
    """Decode one cut of a file to mono.

    Parameters
    ----------
    source : path as text or bytes, or an open binary file.
    start_s, length_s : the cut, in seconds; without a length, up to the end of the file.
    max_mb : largest cut, in 2**20 bytes of float32 samples over all channels; None: no limit.
    layout : result of :func:`genreatlas.audio.probe.lay_out`, to avoid repeating it for several cuts of a file.

    Raises
    ------
    ClipError : the file cannot be opened (see :func:`genreatlas.audio.probe.open_sound`), the cut is too large,
        the data are corrupt, less than half of the cut is in the file, or samples are NaN or infinite.
    """
    with open_sound(source, layout) as (sound, info):
        return read_open(sound, info, start_s, length_s, max_mb)


def read_open(
    sound: Sound, info: AudioInfo, start_s: float, length_s: float | None = None, max_mb: int | None = None
) -> Signal:
    """Decode one cut of an open file; see :func:`read_clip`."""
    start = round(start_s * info.sample_rate)
    wanted = sound.frames - start if length_s is None else min(round(length_s * info.sample_rate), sound.frames - start)
    if wanted <= 0:
        raise ClipError(Reason.TOO_SHORT, f"The file ends at {info.duration_s:.2f} s, before the cut at {start_s:g} s.")
    if max_mb is not None and wanted * info.channels * 4 > max_mb * 2**20:
        # checked by the header alone: a file of 20 kB can state hours, or a lossy one 255 channels at 192 kHz
        raise ClipError(
            Reason.TOO_LARGE,
            f"{wanted / info.sample_rate:g} s of {info.channels} channels at {info.sample_rate} Hz are more than "
            f"limits.max_clip_mb = {max_mb}.",
        )
    lossy = info.mime in _LOSSY or info.codec.startswith("MPEG")
    before = min(start, _PREROLL) if lossy else 0
    if start:
        sound.seek(start - before)
    samples = np.empty(0 if lossy else wanted, dtype=np.float32)
    done, peak, clipped = 0, 0.0, 0
    while done < wanted:
        size = wanted + before if lossy else min(_BLOCK, wanted - done)
        block = sound.read(size)[before:]
        if not len(block):
            break
        highest = float(np.maximum(block.max(), -block.min()))  # NaN if any sample is NaN; abs() would copy the block
        if not np.isfinite(highest):
            raise ClipError(
                Reason.NOT_FINITE, f"NaN or infinite samples near {(start + done) / info.sample_rate:.2f} s."
            )
        if highest >= _FULL_SCALE:
            clipped += _clipped_runs(block)
        peak = max(peak, highest)
        if lossy:
            samples, done = downmix(block), len(block)
            break
        samples[done : done + len(block)] = downmix(block)
        done += len(block)
    if done < _LEAST_SHARE * wanted:
        there, promised = (start + done) / info.sample_rate, info.duration_s
        raise ClipError(
            Reason.TRUNCATED,
            f"The header promises {promised:.2f} s, but the sound ends at {there:.2f} s. Fetch the file again.",
        )
    tolerance = END_TOLERANCE_S * info.sample_rate
    at_the_end = "truncated" in sound.flags and start + done > sound.frames - tolerance
    truncated = at_the_end or wanted - done > tolerance
    return Signal(samples[:done], info.sample_rate, info.channels, peak, clipped, truncated)


def downmix(frames: np.ndarray) -> np.ndarray:
    """Mix (n, channels) to (n,): the mean of all channels with equal weight.

    Surround files are treated like stereo, because files seldom declare their channel layout and a guess could differ
    between files of one library. Channels of opposite polarity cancel out.
    """
    channels = frames.shape[1]
    if channels == 1:
        return frames[:, 0]
    mono = frames[:, 0] + frames[:, 1]  # summed in a loop: numpy's mean over axis 1 takes ten times as long
    for channel in range(2, channels):
        mono += frames[:, channel]
    mono *= np.float32(1.0 / channels)
    return mono


def resample(samples: np.ndarray, source_rate: int, sample_rate: int) -> np.ndarray:
    """Resample a (n,) float32 signal by soxr at quality HQ; returned unchanged if the rates are equal."""
    if source_rate == sample_rate:
        return samples
    import soxr

    return np.asarray(soxr.resample(samples, source_rate, sample_rate, quality="HQ"), dtype=np.float32)


def reject_silence(signal: Signal) -> None:
    """Reject a silent cut.

    Raises
    ------
    ClipError : the peak of the mono signal is at most one step of 16 bits (-90 dBFS).
    """
    if len(signal.samples) and float(np.abs(signal.samples).max()) > SILENCE_PEAK:
        return
    if signal.peak > SILENCE_PEAK:
        raise ClipError(Reason.SILENT, "The channels cancel out in the mono mix. Swap the polarity of one of them.")
    raise ClipError(Reason.SILENT, f"The cut of {signal.length_s:.2f} s is digital silence. [clip] position moves it.")


def _clipped_runs(frames: np.ndarray) -> int:
    """Number of runs of samples at full scale. Runs across two blocks may count twice, which a flag tolerates."""
    channels = frames.shape[1]
    places = np.flatnonzero(np.abs(frames) >= _FULL_SCALE)  # few samples, so the loop below is cheap
    runs = 0
    for channel in range(channels):
        at_limit = places[places % channels == channel] // channels
        breaks = np.flatnonzero(np.diff(at_limit) != 1) + 1
        lengths = np.diff(np.concatenate([[0], breaks, [len(at_limit)]]))
        runs += int(np.count_nonzero(lengths >= _CLIPPED_RUN))
    return runs
