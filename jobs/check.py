"""Print the plan of a job and every error in its configuration; starts nothing."""

from genreatlas.cli import check

if __name__ == "__main__":
    check()
