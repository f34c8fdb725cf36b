"""Released models, one ``<name>.safetensors`` each (see :func:`ipmdae.engine.model_path`), with its
card beside it, ``<name>.json`` (see :mod:`ipmdae.cards`).
"""
