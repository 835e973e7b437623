"""Compiled inner loops of the engine. Each has a numpy version with the suffix ``_plain``, used by tests as reference.

The loops work on *lanes*: 64 frames of a spectrogram side by side in memory, so that one instruction processes eight or
sixteen frames, while the loop over bins follows the formula. Importing these modules imports numba, which takes a
second: import them inside functions.
"""
