"""What an extraction has to do, where its audio is, and what is made of files that fail."""
