"""A library of audio files: what lies in the folder, and what its labels say of each file."""
