"""Pictures of samples as HTML for ``displayHTML``; they follow the reader's light or dark preference."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files

import pandas as pd

from genreatlas.explore.samples import Sample
from genreatlas.report.pictures import genre_medians
from genreatlas.report.plots_distributions import ridges
from genreatlas.report.plots_matrices import correlation_triangle
from genreatlas.report.svg import Figure

_LAYOUT = (
    "body{margin:0} .figures{display:flex;flex-wrap:wrap;gap:1.5rem 2rem;align-items:flex-start;"
    "background:var(--paper);padding:.5rem 0} "
    ".figures figure{margin:0;max-width:100%;overflow-x:auto;padding-right:4rem}"
    ".figures figcaption{font:13px ui-sans-serif,system-ui,sans-serif;color:var(--muted);margin-top:.3rem;"
    "max-width:44rem} .figures .wide{width:100%;padding-right:0}"
)


def html(*figures: Figure, caption: str = "") -> str:
    """Figures beside each other, as far as there is room, with one caption.

    Parameters
    ----------
    figures : from the functions of this package or of :mod:`genreatlas.report`.
    """
    shown = "".join(f'<figure class="{"wide" if f.fluid else ""}">{f.inline}</figure>' for f in figures)
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return page(f'<div class="figures">{shown}</div><div class="figures">{words}</div>' if caption else
                f'<div class="figures">{shown}</div>')  # fmt: skip


def page(markup: str) -> str:
    """Markup with the style that figures need; a notebook shows it in a frame of its own."""
    style = (files("genreatlas.report") / "templates" / "plot.css").read_text(encoding="utf-8")
    return f"<style>{style}{_LAYOUT}</style>{markup}"


def densities(sample: Sample, features: Sequence[str]) -> list[Figure]:
    """Density of each feature in each genre (Gaussian kernel), one ridge a genre."""
    return [
        ridges(f"density_{name}", sample.rows, name, sample.units.get(name, ""), sample.genres, sample.names)
        for name in features
    ]


def correlation(sample: Sample, features: Sequence[str]) -> Figure:
    """Pearson correlation of features over clips."""
    among = sample.rows[list(features)].corr()
    alt = f"Correlation of {len(features)} features of {sample.feature_set}."
    return correlation_triangle("correlation", among, list(features), alt)


def genre_correlation(sample: Sample) -> Figure:
    """Correlation of genres: of their medians over all features, after scaling each feature to deviation 1."""
    medians = genre_medians(sample.rows, sample.features, sample.genres)
    likeness = medians.T.corr()
    names = [sample.names.get(str(genre), str(genre)) for genre in medians.index]
    likeness.index = likeness.columns = pd.Index(names)
    alt = f"Correlation of the scaled medians of {len(names)} genres."
    return correlation_triangle("genre_correlation", likeness, names, alt)
