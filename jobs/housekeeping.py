"""Update tables of older releases, merge small files, and delete files of expired table versions."""

from genreatlas.cli import main
from genreatlas.steps import housekeeping

if __name__ == "__main__":
    main(housekeeping)
