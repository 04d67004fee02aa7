"""From an ECG to its image: layouts in millimetres, styles, the raster, the pose, the camera, and the truth."""

from heartprint.sheets.layout import Layout, Names, Pulse, Strip, columns_layout
from heartprint.sheets.pose import Pose, draw_pose
from heartprint.sheets.raster import render
from heartprint.sheets.registry import LAYOUTS, PAPER_LAYOUTS, get_layout, layout_file_digests
from heartprint.sheets.sampler import SheetSampler, check_drawing, layouts_of, without_drawing
from heartprint.sheets.style import STYLES, Style, draw_style, get_style
from heartprint.sheets.truth import Truth, render_with_truth

__all__ = [
    "LAYOUTS",
    "PAPER_LAYOUTS",
    "STYLES",
    "Layout",
    "Names",
    "Pose",
    "Pulse",
    "SheetSampler",
    "Strip",
    "Style",
    "Truth",
    "check_drawing",
    "columns_layout",
    "draw_pose",
    "draw_style",
    "get_layout",
    "get_style",
    "layout_file_digests",
    "layouts_of",
    "render",
    "render_with_truth",
    "without_drawing",
]
