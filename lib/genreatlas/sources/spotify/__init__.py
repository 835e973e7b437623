"""Spotify: parsers of links and API bodies, and a client of the Web API."""
