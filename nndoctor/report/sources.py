"""Which document says so: claim ids with the title of the text that makes them."""

from __future__ import annotations

from nndoctor.knowledge.loader import load_documents
from nndoctor.knowledge.model import Claim


def cited(claims: list[str]) -> list[tuple[str, list[Claim]]]:
    """The title of each document that makes one of these claims, and the claims, in the order of the documents."""
    return [
        (document.title, made)
        for document in load_documents().values()
        if (made := [claim for claim in document.claims if claim.id in claims])
    ]
