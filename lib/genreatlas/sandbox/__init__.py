"""The composer: a library of songs in made-up genres, with the truth about every note."""

from genreatlas.sandbox.genres import GENRES
from genreatlas.sandbox.library import truth_folder, truth_path, write_library
from genreatlas.sandbox.plan import PlannedFile, plan_library

__all__ = ["GENRES", "PlannedFile", "plan_library", "truth_folder", "truth_path", "write_library"]
