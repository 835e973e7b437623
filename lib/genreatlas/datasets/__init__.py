"""What can be learnt from: songs with their labels, features and parts of the split.

It is read as a frame (:mod:`genreatlas.datasets.dataset`), as arrays on the driver (:mod:`genreatlas.datasets.matrix`)
or as files for training elsewhere (:mod:`genreatlas.datasets.shards`). Nothing here knows a model.
"""
