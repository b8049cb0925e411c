"""Everything nndoctor raises on purpose. The command line turns these into one line and an exit code."""

from __future__ import annotations


class NndoctorError(Exception):
    """Base of all errors that are the user's to mend; the message says where and what to do."""


class UsageError(NndoctorError):
    """The command line or a configuration is wrong (exit code 2)."""


class FileError(UsageError):
    """A named file is missing, unreadable or not what it should be (exit code 2)."""


class KnowledgeError(NndoctorError):
    """A cause page is malformed; lists every mistake found."""
