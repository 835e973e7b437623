"""The HTML report: the data, the scores of the models, and their limitations."""
