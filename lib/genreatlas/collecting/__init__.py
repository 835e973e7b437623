"""Collecting songs and clips from folders, Spotify and previews, and retiring those that are gone."""
