"""Exploratory data analysis for notebooks: samples from the store and figures of them."""
