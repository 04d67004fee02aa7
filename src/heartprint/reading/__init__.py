"""Reading paper: from a photograph, scan or PDF to an upright, rectified sheet, or an honest refusal."""
