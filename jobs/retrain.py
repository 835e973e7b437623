"""Take in what is new, train, and promote the challenger if it is better: the job of a schedule."""

from genreatlas.cli import retrain

if __name__ == "__main__":
    retrain()
