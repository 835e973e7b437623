"""scikit-learn, on one core a candidate."""
