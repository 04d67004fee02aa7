"""A page to look at before training: sheets of a cohort, and views that belong together as the network reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from heartprint.cohorts import Cohort
from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator, stable_hash
from heartprint.pages.contact_sheet import CELL_PX, Section, checked_png, save_contact_page
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.methods import Method, get_method
from heartprint.sheets import draw_style, get_layout, get_style, layouts_of, render
from heartprint.sheets.camera import get_recipe, photograph_sheet
from heartprint.sheets.sampler import IMAGE, RANDOM_STYLE
from heartprint.sheets.style import Style, placed

PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
_HARMLESS = ("blank-image", "image-too-small")
"""Reasons why a picture is no ECG, though it may be looked at."""
_PATIENTS = ": ECGs of patients. This page may go where the ECGs may go, and nowhere else."
_FINER, _SMALL_PX = 2, (440, 330)


def save_contact(
    cohort: Cohort,
    config: PretrainConfig,
    out: str | Path,
    *,
    n: int = 8,
    beside: str | Path | None = None,
    recipe: str = "phone",
) -> Path:
    """Draw a contact page.

    Args:
        cohort: The ECGs.
        config: What pretraining would be told: method, layouts, styles, recipes, image size, pair policy.
        out: PNG file, written whole or not at all.
        n: Sheets, and items of the method, that are shown.
        beside: A folder with photographs of ECGs; between them sheets of the cohort are shown as Heartprint's camera
            sees them, in colour.
        recipe: The camera's recipe for those.

    Returns:
        The file.

    Raises:
        HeartprintError: ``bad-path``, ``no-photographs``, ``unknown-recipe``, or what the method raises, as
            ``no-pairs``.
    """
    target = checked_png(out)
    chosen = get_recipe(recipe).name
    photos = [] if beside is None else _photos(Path(beside))
    method = _method(cohort, config)
    rng = generator(config.seed, "contact page")
    simulated = " (SIMULATED PATIENTS)" if cohort.info.simulated else ""
    rows = rng.permutation(len(cohort))[:n].tolist()
    names = _layouts(cohort, config)
    layouts = [names[k % len(names)] for k in range(len(rows))]
    sections = [
        Section(
            [_colour_sheet(cohort, row, config, layout=layout)[0] for row, layout in zip(rows, layouts, strict=True)],
            [f"Row {row}: {layout}" for row, layout in zip(rows, layouts, strict=True)],
            f"Sheets of {cohort.info.name}{simulated or _PATIENTS}",
        )
    ]
    images, captions = [], []
    numbers: dict[str, int] = {}
    for item in rng.permutation(method.n_items)[:n].tolist():
        for view in method.draw(0, item):
            images.append(view.image)
            # Ids of patients have no place on a page that is passed round; a row of the table finds them.
            patient = numbers.setdefault(str(cohort.patient_ids[view.row]), len(numbers) + 1)
            captions.append(f"Row {view.row}: patient {patient} of this page")
    size = config.image_size
    sections.append(
        Section(
            images,
            captions,
            f"{method.name}: {method.description}, as the network reads them ({size} x {size} px){simulated}",
            columns=method.n_views * max(1, 8 // method.n_views),
            cell_px=(max(size, 160), size),
        )
    )
    if photos:
        sections.append(_side_by_side(cohort, config, photos, chosen, rng))
    return save_contact_page(sections, target)


def _method(cohort: Cohort, config: PretrainConfig) -> Method:
    """The method whose views are shown; of images without pairs they are two views of one image."""
    try:
        return get_method(config.method.name)(cohort, config)
    except HeartprintError as error:
        if error.code != "no-pairs" or cohort.kind != "image":
            raise
        # A page of images is worth a look before the second ones are there; pretraining itself says that it needs them.
        views = get_method("simclr")
        return views(cohort, config.model_copy(update={"method": views.settings()}))


def _layouts(cohort: Cohort, config: PretrainConfig) -> list[str]:
    """The layouts that are shown; an image has its own, whatever a configuration for waveforms says."""
    return [IMAGE] if cohort.kind == "image" else list(layouts_of(cohort, config.layouts))


def _colour_sheet(
    cohort: Cohort, row: int, config: PretrainConfig, *, layout: str, finer: int = 1
) -> tuple[Image, tuple[float, float]]:
    """A sheet in its true proportions, and its width and height in mm; an image as it is stored, and its px."""
    if cohort.kind == "image":
        image = cohort.image(row)
        return image, (float(image.shape[1]), float(image.shape[0]))
    name = config.styles[stable_hash(str(cohort.ecg_ids[row])) % len(config.styles)]
    rng = generator(config.seed, "contact style", stable_hash(str(cohort.ecg_ids[row])))
    style: Style = draw_style(rng) if name == RANDOM_STYLE else get_style(name)
    paper = placed(get_layout(layout), style)
    scale = finer * min(CELL_PX[0] / paper.width_mm, CELL_PX[1] / paper.height_mm)
    size = (round(paper.height_mm * scale), round(paper.width_mm * scale))
    sheet = render(
        cohort.signal(row),
        cohort.sampling_rate(row),
        layout,
        size,
        baseline=config.baseline,
        style=style,
        colour=True,
    )
    return sheet, (paper.width_mm, paper.height_mm)


def _side_by_side(
    cohort: Cohort, config: PretrainConfig, photos: list[tuple[str, Image]], recipe: str, rng: np.random.Generator
) -> Section:
    """Photographs, and after each a sheet as the camera sees it."""
    pictures, captions = [], []
    rows, layouts = rng.permutation(len(cohort)), _layouts(cohort, config)
    for k, (name, photo) in enumerate(photos):
        row, layout = int(rows[k % len(rows)]), layouts[k % len(layouts)]
        sheet, sheet_mm = _colour_sheet(cohort, row, config, layout=layout, finer=_FINER)
        camera = generator(config.seed, "contact camera", k)
        taken = photograph_sheet(sheet, recipe=recipe, rng=camera, sheet_mm=sheet_mm).picture
        pictures += [photo, taken]
        captions += [f"{name}: photograph", f"Row {row}: drawn, {layout}, recipe '{recipe}'"]
    title = f"Photographs, and sheets that Heartprint drew and photographed ('{recipe}')"
    return Section(pictures, captions, title, columns=6, cell_px=_SMALL_PX)


def _photos(folder: Path) -> list[tuple[str, Image]]:
    """The pictures of a folder, shrunk, by name.

    Raises:
        HeartprintError: ``no-photographs``.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    from heartprint.foundation.pictures import read_picture

    found = []
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in PHOTO_SUFFIXES) if folder.is_dir() else []
    for file in files:
        try:
            # In a process of its own: what a hostile file does to its decoder, it does there. It gives no colours.
            read_picture(file)
        except HeartprintError as error:
            if error.code not in _HARMLESS:
                continue  # one broken picture is no reason to see none
        try:
            with Image.open(file) as opened:
                picture = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
            continue
        picture.thumbnail(CELL_PX)
        found.append((file.name, np.asarray(picture)))
    if not found:
        raise HeartprintError(
            "no-photographs",
            f"{folder} has no picture that can be read ({', '.join(PHOTO_SUFFIXES)}). Give a folder with photographs.",
        )
    return found
