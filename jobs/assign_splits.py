"""Assign songs that have no part yet to train, promotion and test."""

from genreatlas.cli import main
from genreatlas.steps import assign_splits

if __name__ == "__main__":
    main(assign_splits)
