"""Cells of a notebook, which are compiled under the name of a file that is not there."""

from __future__ import annotations

import linecache
import sys

NOTEBOOK = "notebook"  # stands for the script where a cell is watched


def cell_name(filename: str) -> str:
    """`In[3]` for the file name under which IPython has compiled a cell; "" for any other.

    The cell's lines can be read under that name afterwards, as those of a file, from Python's own cache of source lines.
    """
    try:
        shell = sys.modules["IPython"].get_ipython()
        _, name = shell.compile.format_code_name(filename)
    except Exception:  # no IPython, another version's, no cell, or a module of the script's by that name
        return ""
    lines = linecache.getlines(filename)
    linecache.cache[str(name)] = (sum(map(len, lines)), None, lines, str(name))  # without a time: never checked against a file
    return str(name)
