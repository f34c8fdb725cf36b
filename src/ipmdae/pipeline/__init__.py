"""One way of a signal through a network, block by block.

A stage takes samples in and gives those out that are settled.
"""
