"""The web site: a read-only extract of the lake, and the pages and REST endpoints that serve it; without Spark."""
