"""Evaluate all trained models on songs that they were not trained on."""

from genreatlas.cli import main
from genreatlas.steps import evaluate_models

if __name__ == "__main__":
    main(evaluate_models)
