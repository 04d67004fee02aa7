"""ECGs that stand twice: the search for copies."""

from heartprint.cohorts.duplicates.find import find_duplicates

__all__ = ["find_duplicates"]
