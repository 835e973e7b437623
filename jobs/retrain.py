"""Import new data, train, and replace the model in use if the best new model is better; to be run on a schedule."""

from genreatlas.cli import retrain

if __name__ == "__main__":
    retrain()
