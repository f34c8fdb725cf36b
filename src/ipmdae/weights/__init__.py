"""Released models, one ``<name>.safetensors`` each: see :func:`ipmdae.engine.model_path`."""
