"""Say how far new songs lie from what the model in use was trained on."""

from genreatlas.cli import main
from genreatlas.steps import measure_drift

if __name__ == "__main__":
    main(measure_drift)
