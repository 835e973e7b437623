"""The page that people read: what the data are, what the models score, and what that does not mean."""
