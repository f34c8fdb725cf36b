"""The networks in torch, for training; nothing here is needed to clean a recording.

:mod:`ipmdae.lab.nn.reference_names` alone needs no torch.
"""
