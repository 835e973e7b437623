"""The feature sets, one module per family. :mod:`genreatlas.audio.feature_sets` registers them."""
