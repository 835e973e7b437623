"""Log models and their scores to MLflow, and register the model in use."""

from genreatlas.cli import main
from genreatlas.steps import log_mlflow

if __name__ == "__main__":
    main(log_mlflow)
