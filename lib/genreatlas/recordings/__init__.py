"""Copies of one recording, found by their fingerprints: an index over codes, verification, groups and kinds of links.

Index, verification, groups and kinds are computed without Spark; :mod:`genreatlas.recordings.jobs` spreads them over
tasks.
"""
