"""Training and evaluation of classifiers on feature tables: candidates, engines, model files."""
