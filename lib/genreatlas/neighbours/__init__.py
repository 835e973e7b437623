"""Similar songs: vector space, exact and approximate search for nearest neighbours, and correction of hubs.

Hubs are songs that are among the nearest neighbours of very many others, an effect of high dimensions. Antihubs are
among the nearest neighbours of no song (Radovanovic, Nanopoulos & Ivanovic 2010).
"""
