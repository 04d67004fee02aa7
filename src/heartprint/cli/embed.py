"""``heartprint embed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heartprint.cli.overwrite import EMBEDDINGS, Overwrite, claim_file


def embed(
    encoder: Annotated[
        str,
        typer.Argument(
            help="'heartprint', 'heartprint-photo', a run, encoder or model folder, 'imagenet' or 'random'."
        ),
    ],
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.")],
    out: Annotated[Path, typer.Option("--out", help="File to write (.npz).")],
    layout: Annotated[str, typer.Option(help="Layout of the sheets.")] = "standard",
    backbone: Annotated[str | None, typer.Option(help="Backbone of 'imagenet' or 'random'.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Side of the image in px, for 'imagenet' or 'random'.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of 'random'.")] = 0,
    batch_size: Annotated[int, typer.Option(help="Sheets at a time; lower it if memory is short.", min=1)] = 64,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Embed every ECG of a cohort from one sheet each.

    The file holds ecg_id, patient_id and embedding (float32, ECGs x numbers), and loads without pickle.

    'heartprint' and 'heartprint-photo' come with the package; a folder of such a name is ./heartprint.

    Example: heartprint embed heartprint COHORT --out embeddings.npz
    """
    from heartprint.cohorts import Cohort
    from heartprint.encoders import embed_cohort, resolve_encoder, save_embeddings
    from heartprint.training.device import choose_device

    claim_file(out, EMBEDDINGS, overwrite)
    ecgs = Cohort.open(cohort)
    loaded = resolve_encoder(encoder, backbone=backbone, image_size=image_size, seed=seed)
    loaded.encoder.to(choose_device(device))
    embedding = embed_cohort(loaded, ecgs, layout=layout, batch_size=batch_size)
    save_embeddings(out, ecgs.ecg_ids, ecgs.patient_ids, embedding)
    note = " (simulated patients)" if ecgs.info.simulated else ""
    print(f"{out}: {len(ecgs):,} ECGs of {ecgs.n_patients:,} patients{note}, {embedding.shape[1]} numbers each")
