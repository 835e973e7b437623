"""Synthesise a library of songs in invented genres, with ground truth for every note."""

from genreatlas.sandbox.composed_genres import GENRES
from genreatlas.sandbox.composed_library import truth_folder, truth_path, write_library
from genreatlas.sandbox.groove_pairs import PAIRED
from genreatlas.sandbox.library_plan import PlannedFile, plan_library

__all__ = ["GENRES", "PAIRED", "PlannedFile", "plan_library", "truth_folder", "truth_path", "write_library"]
