"""Serve the sandbox world until Control-C."""

from genreatlas.cli import serve_sandbox

if __name__ == "__main__":
    serve_sandbox()
