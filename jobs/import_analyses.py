"""Import saved Spotify audio analyses."""

from genreatlas.cli import main
from genreatlas.steps import import_analyses

if __name__ == "__main__":
    main(import_analyses)
