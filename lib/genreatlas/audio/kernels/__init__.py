"""Compiled inner loops of the engine, few and plain, each with a numpy twin that tests hold it against.

They work on *lanes*: 64 frames of a spectrogram side by side in memory, so that the compiler does one
instruction for eight or sixteen frames at once, in a loop over bins that reads like the formula. Importing any of
these modules imports numba, which takes a second: import them late.
"""
