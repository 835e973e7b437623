"""Run every step that the configuration names, in order."""

from genreatlas.cli import pipeline

if __name__ == "__main__":
    pipeline()
