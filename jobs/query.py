"""Run an SQL query on the store."""

from genreatlas.query import query

if __name__ == "__main__":
    query()
