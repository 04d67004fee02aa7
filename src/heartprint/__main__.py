"""``python -m heartprint`` is the same as ``heartprint``."""

from heartprint.cli.main import main

main()
