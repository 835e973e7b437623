"""Audio decoding, loudness and feature extraction. This package does not import Spark."""
