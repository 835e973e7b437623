"""Serve the site until Control-C."""

from genreatlas.cli import serve_web

if __name__ == "__main__":
    serve_web()
