"""Judge the models on the test part."""

from genreatlas.cli import main
from genreatlas.steps import evaluate_models

if __name__ == "__main__":
    main(evaluate_models)
