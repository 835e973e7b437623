"""Small SVG pictures of distributions, styled by CSS classes: the content security policy forbids inline styles."""

from collections.abc import Iterable, Sequence
from itertools import islice

from markupsafe import Markup

from genreatlas.values import RowView

_WIDTH, _HEIGHT = 240.0, 56.0
_MAP, _EDGE = 480.0, 12.0
#: Maximum number of genres drawn: 3,000 dots are 30 KB of the page.
_DOTS = 3000


def histogram(of_all: RowView, of_genre: RowView | None, value: float | None, words: str) -> Markup:
    """Histogram of all songs (area), of a genre (line, with equal area), and a value (mark).

    Parameters
    ----------
    of_all, of_genre : rows of charts; None to draw no genre.
    value : value to mark; None for no mark.
    words : alternative text.
    """
    every = _shares(of_all["counts"])
    mine = _shares(of_genre["counts"]) if of_genre else []
    top = max([*every, *mine, 1e-9])
    parts = [f'<polygon class="hill" points="0,{_HEIGHT:g} {_points(every, top)} {_WIDTH:g},{_HEIGHT:g}"/>']
    if mine:
        parts.append(f'<polyline class="genre" points="{_points(mine, top)}"/>')
    if value is not None:
        at = (value - of_all["low"]) / (of_all["high"] - of_all["low"])
        x = _WIDTH * min(max(at, 0.0), 1.0)
        parts.append(f'<line class="value" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_HEIGHT:g}"/>')
    return _picture(parts, _HEIGHT, words)


def box(chart: RowView, words: str) -> Markup:
    """Box plot of a genre: box from the 25th to the 75th percentile, line from the 5th to the 95th, median mark."""
    span = chart["high"] - chart["low"]
    low, left, middle, right, high = (
        _WIDTH * min(max((chart[name] - chart["low"]) / span, 0.0), 1.0) for name in ("q05", "q25", "q50", "q75", "q95")
    )
    parts = [
        f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="9" y2="9"/>',
        f'<rect class="box" x="{left:.1f}" y="3" width="{max(right - left, 1):.1f}" height="12"/>',
        f'<line class="median" x1="{middle:.1f}" x2="{middle:.1f}" y1="2" y2="16"/>',
    ]
    return _picture(parts, 18.0, words)


def place_on_map(
    places: Iterable[tuple[float, float]], near: Iterable[tuple[float, float]], x: float, y: float, words: str
) -> Markup:
    """Map of genres as dots, with larger dots for a song's genres and a mark for the song.

    Parameters
    ----------
    places : positions of genres, y downward; at most the first 3,000 are drawn.
    near : positions of the song's genres.
    x, y : position of the song.
    words : alternative text.
    """
    every = list(islice(places, _DOTS))
    xs, ys = zip(*every, (x, y), strict=True)
    scale = (_MAP - 2 * _EDGE) / max(max(xs) - min(xs), max(ys) - min(ys), 1e-9)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return _EDGE + scale * (point[0] - min(xs)), _EDGE + scale * (point[1] - min(ys))

    height = 2 * _EDGE + scale * (max(ys) - min(ys))
    dots = "".join(f"M{a:.0f} {b:.0f}h0" for a, b in map(at, every))
    mark = at((x, y))
    parts = [f'<path class="dots" d="{dots}"/>']
    parts += [f'<line class="way" x1="{a:.1f}" y1="{b:.1f}" x2="{mark[0]:.1f}" y2="{mark[1]:.1f}"/>'
              f'<circle class="near" cx="{a:.1f}" cy="{b:.1f}" r="5"/>' for a, b in map(at, near)]  # fmt: skip
    parts.append(f'<circle class="here" cx="{mark[0]:.1f}" cy="{mark[1]:.1f}" r="7"/>')
    head = Markup('<svg class="place" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return head.format(f"{_MAP:g}", f"{height:.0f}", words) + Markup("".join(parts)) + Markup("</svg>")


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [count / total for count in counts]


def _points(shares: Sequence[float], top: float) -> str:
    step = _WIDTH / len(shares)
    return " ".join(
        f"{(place + 0.5) * step:.1f},{_HEIGHT - (_HEIGHT - 2) * share / top:.1f}" for place, share in enumerate(shares)
    )


def _picture(parts: Sequence[str], height: float, words: str) -> Markup:
    head = Markup(
        '<svg class="small" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="none">'
    ).format(f"{_WIDTH:g}", f"{height:g}", words)
    return head + Markup("".join(parts)) + Markup("</svg>")
