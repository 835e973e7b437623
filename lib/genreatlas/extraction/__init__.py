"""Planning of feature extraction, access to fetched audio, and handling of failures."""
