"""Commands of ``ipmdae``, one module each; :mod:`ipmdae.cli` assembles them.

Dependencies are imported when a command runs, so that ``ipmdae --help`` is quick.
"""
