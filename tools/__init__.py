"""The paper's data commands: ``python -m tools.load_qtdb`` and ``python -m tools.load_nstdb``."""
