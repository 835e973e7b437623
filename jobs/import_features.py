"""Import a table of precomputed features."""

from genreatlas.cli import main
from genreatlas.steps import import_features

if __name__ == "__main__":
    main(import_features)
