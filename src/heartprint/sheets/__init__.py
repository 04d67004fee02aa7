"""From an ECG to its image: layouts in millimetres, the raster, the pose."""

from heartprint.sheets.layout import LAYOUTS, PAPER_LAYOUTS, Layout, Strip, get_layout
from heartprint.sheets.pose import Pose, draw_pose
from heartprint.sheets.raster import render

__all__ = ["LAYOUTS", "PAPER_LAYOUTS", "Layout", "Pose", "Strip", "draw_pose", "get_layout", "render"]
