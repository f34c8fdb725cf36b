"""Released models: ``<name>.safetensors``, and the model card ``<name>.json`` beside it.

See :func:`ipmdae.engine.model_path` and :mod:`ipmdae.cards`.
"""
