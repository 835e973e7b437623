"""From feature tables to judged classifiers: data set, candidates, engines, model files."""
