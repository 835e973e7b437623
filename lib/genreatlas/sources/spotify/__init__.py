"""Spotify: its links, its API's bodies, and a thin client."""
