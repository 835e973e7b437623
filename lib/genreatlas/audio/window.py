"""Which cut of a file is used."""

from genreatlas.config import ClipSection


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
