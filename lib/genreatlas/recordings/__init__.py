"""Find copies of recordings by acoustic fingerprints: index over codes, verification, groups and kinds of links.

:mod:`genreatlas.recordings.jobs` runs them in Spark; all other modules but ``reading`` do not use Spark.
"""
