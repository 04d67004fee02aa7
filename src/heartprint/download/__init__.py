"""Public sets fetched from their publishers: resumable, verified, several files at a time."""

from heartprint.download.download import Fetched, download
from heartprint.download.sets import CLOSED, SETS, ClosedSet, OpenSet

__all__ = ["CLOSED", "SETS", "ClosedSet", "Fetched", "OpenSet", "download"]
