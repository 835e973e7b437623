"""Measure how well loudness, format, year or artist alone predict genres, and the effect of changing the sound."""

from genreatlas.cli import main
from genreatlas.steps import probe

if __name__ == "__main__":
    main(probe)
