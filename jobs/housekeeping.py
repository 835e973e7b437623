"""Bring old tables up to date, merge small files, and delete what nobody can read any more."""

from genreatlas.cli import main
from genreatlas.steps import housekeeping

if __name__ == "__main__":
    main(housekeeping)
