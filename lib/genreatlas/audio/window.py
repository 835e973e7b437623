"""Which cut of a file is used."""

from genreatlas.config import ClipSection
from genreatlas.errors import ClipError, Reason


def window_rule(clip: ClipSection) -> str:
    """Name of the rule that chooses the cut: ``middle:30``, ``start:10``, ``12.5:30``."""
    position = clip.position if isinstance(clip.position, str) else f"{clip.position:g}"
    return f"{position}:{clip.seconds:g}"


def choose_window(clip: ClipSection, duration_s: float) -> tuple[float, float]:
    """Start and length of the cut in a file of the given duration, in seconds, to the millisecond.

    A file that is shorter than the cut is used whole. A cut that would reach over the end is moved
    back to end there, so that an offset never yields less than the file can give.
    """
    length = min(clip.seconds, duration_s)
    last = duration_s - length
    if clip.position == "start":
        start = 0.0
    elif clip.position == "middle":
        start = last / 2
    else:
        start = min(max(float(clip.position), 0.0), last)
    return round(start, 3), round(length, 3)


def reject_short(clip: ClipSection, duration_s: float) -> None:
    """Raise ClipError where a file of this duration, in seconds, is shorter than ``clip.min_seconds``."""
    if duration_s < clip.min_seconds:
        detail = f"{duration_s:.2f} s are less than clip.min_seconds = {clip.min_seconds:g}."
        raise ClipError(Reason.TOO_SHORT, detail)


def file_windows(clip: ClipSection, duration_s: float, hop_s: float = 0.0, most: int = 0) -> list[tuple[float, float]]:
    """Starts and lengths of the windows that cover a whole file, in seconds, to the millisecond.

    Windows have the length of the cut and follow each other every ``hop_s``. Where more than half a hop would be
    left over at the end, one more window ends with the file. A file that is shorter than the cut is one window.

    Parameters
    ----------
    hop_s : distance of windows; 0: their length.
    most : at most so many, spread evenly from the first to the last; 0: all.
    """
    length = min(clip.seconds, duration_s)
    hop, last = hop_s or length, duration_s - length
    if last <= 0:
        return [(0.0, round(length, 3))]
    count = int(last / hop + 1e-9) + 1
    starts = [number * hop for number in range(count)]
    if last - starts[-1] > hop / 2:
        starts.append(last)
    if most and len(starts) > most:
        places = [round(number * (len(starts) - 1) / (most - 1)) for number in range(most)] if most > 1 else [0]
        starts = [starts[place] for place in places]
    return [(round(start, 3), round(length, 3)) for start in starts]
