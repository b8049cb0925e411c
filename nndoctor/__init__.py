"""nndoctor: a command-line doctor for PyTorch training runs."""

from nndoctor.version import __version__

__all__ = ["__version__"]
