"""Similar songs: the space they are compared in, exact and approximate search in it, and the correction of hubs.

Hubs are songs that are among the nearest of very many others, as happens in high dimensions by geometry alone; antihubs
are among nobody's (Radovanovic, Nanopoulos & Ivanovic 2010).
"""
