"""Data sets for training: songs with their labels, features and parts of the split.

A data set is read as a Spark frame (:mod:`genreatlas.datasets.dataset`), as arrays on the driver
(:mod:`genreatlas.datasets.matrix`) or as files for training elsewhere (:mod:`genreatlas.datasets.shards`). This package
does not depend on models.
"""
