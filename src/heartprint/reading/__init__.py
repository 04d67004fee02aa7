"""From a photograph, a scan or a file to an upright sheet, or an honest refusal."""
