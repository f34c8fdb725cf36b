"""One way of a signal through a network, block by block.

A stage takes samples in and returns those that are settled.
"""
