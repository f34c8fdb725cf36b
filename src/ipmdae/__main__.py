"""``python -m ipmdae`` is the command ``ipmdae``."""

from ipmdae.cli import app

if __name__ == "__main__":
    app(prog_name="ipmdae")
