"""Measure how far new songs differ from the training data of the model in use."""

from genreatlas.cli import main
from genreatlas.steps import measure_drift

if __name__ == "__main__":
    main(measure_drift)
