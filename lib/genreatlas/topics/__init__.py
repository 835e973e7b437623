"""Topics of audio words: k-means quantises frames to words, and LDA finds topics of words that occur together.

References: Blei, Ng & Jordan 2003, "Latent Dirichlet allocation"; Hoffman, Blei & Bach 2010, "Online learning for
latent Dirichlet allocation"; Hu & Saul 2009 and Kim, Narayanan & Sundaram 2009 for topics of music and audio.
"""
