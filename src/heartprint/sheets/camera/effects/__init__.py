"""Everything that can happen to a sheet on its way to a file, by name; each with severities from 1 to 5."""

from heartprint.sheets.camera.effects import damage, files, light, optics, pose, printing, screen
from heartprint.sheets.camera.effects.registry import EFFECTS, SEVERITIES, Effect, checked_severity, get_effect

__all__ = ["EFFECTS", "SEVERITIES", "Effect", "checked_severity", "get_effect"]

# Importing a module registers its effects.
del damage, files, light, optics, pose, printing, screen
