"""What one draws before modelling: samples from the store, and pictures of them, for notebooks."""
