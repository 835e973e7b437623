"""Genre Atlas: genre-labelled audio features, genre classifiers and a genre map, as Spark jobs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genreatlas.models.one_file import Prediction, predict
    from genreatlas.neighbours.similar import SimilarSong, similar

__version__ = "0.1.0"

__all__ = ["Prediction", "SimilarSong", "__version__", "predict", "similar"]


def __getattr__(name: str) -> object:
    """Import the public names on first use: they load numba, librosa and scikit-learn, which takes seconds."""
    if name in ("Prediction", "predict"):
        from genreatlas.models import one_file

        return getattr(one_file, name)
    if name in ("SimilarSong", "similar"):
        from genreatlas.neighbours import similar as module

        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
