"""The commands of ``ipmdae``, a room each; :mod:`ipmdae.cli` puts them together.

What a command needs is imported when it runs, so that ``ipmdae --help`` is quick.
"""
