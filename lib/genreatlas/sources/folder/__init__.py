"""Folders of audio files: list the files, and read their labels."""
