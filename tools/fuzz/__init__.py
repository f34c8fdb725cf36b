"""Fuzzing of everything that reads a file: recordings of all formats, models, the wasm module.

Inputs are seeds (``seeds``) changed with knowledge of their layout (``mutations``), read by
``targets`` in child processes (``workers``). The same seed gives the same inputs.
"""
