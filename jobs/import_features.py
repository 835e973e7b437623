"""Import a table of features that somebody else computed."""

from genreatlas.cli import main
from genreatlas.steps import import_features

if __name__ == "__main__":
    main(import_features)
