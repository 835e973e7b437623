"""Genre Atlas: genre-labelled audio features, genre classifiers and a genre map, as Spark jobs."""

__version__ = "0.1.0"
