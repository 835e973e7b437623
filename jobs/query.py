"""Ask the store in SQL."""

from genreatlas.query import query

if __name__ == "__main__":
    query()
