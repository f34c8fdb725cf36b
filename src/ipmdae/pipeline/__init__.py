"""Processing of a signal by a network, block by block.

A stage takes samples and returns those that are finished.
"""
