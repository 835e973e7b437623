"""From bytes to numbers: decoding, loudness, and feature sets. No Spark here."""
