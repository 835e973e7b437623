"""The fast engine's nodes, by family: each replaces the reference's of the same name, or is shared by some that do.

Nothing here imports librosa, numba or scipy before a node is computed.
"""
