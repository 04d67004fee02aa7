"""From a finished run to a folder that can be passed on."""

from __future__ import annotations

from pathlib import Path

from heartprint.encoders.bundle.config import ModelConfig
from heartprint.encoders.bundle.files import CONFIG_FILE, MODEL_OUTPUT, read_config, recipe_in, recipe_of
from heartprint.encoders.bundle.folder import load_encoder, save_encoder
from heartprint.encoders.bundle.loaded import LoadedEncoder
from heartprint.encoders.bundle.resolve import resolve_encoder
from heartprint.encoders.bundle.seen_patients import Seen
from heartprint.encoders.bundle.shipped import SHIPPED_NAMES
from heartprint.foundation.bounded import MAX_TEXT_BYTES
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.outputs import claim_output


def export_encoder(
    run: str | Path,
    out: str | Path,
    *,
    half: bool = False,
    card: str | Path | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> LoadedEncoder:
    """Write the encoder of a run as a folder to pass on: smaller, and with a card that a person has written.

    Where the run learned from simulated patients, the folder names their source (hospital, seed, number of patients)
    and not each of them: the lists would be as large as a small network, simulated patients have nothing to hide, and
    the source also recognises them at another sampling rate or in a larger cohort of the same seed.

    Args:
        run: Run folder, encoder folder, or a name that `resolve_encoder` understands.
        out: Encoder folder to write.
        half: Store the weights as float16, in half the space; see `save_encoder`.
        card: Markdown file that goes under the automatic part of the card: what the encoder is for, what it is not
            for, how it compares.
        progress: Whether to show progress.
        overwrite: Whether an older export of the same encoder may be replaced.

    Returns:
        The encoder as it was read back from ``out``, on the CPU and in eval mode.

    Raises:
        HeartprintError: ``file-missing``, ``file-too-large`` or ``unreadable-file`` for the card, ``not-a-run`` for a
            model folder, ``disk-full``, what `claim_output` raises for ``out``, and what `resolve_encoder` raises.
    """
    text = _read(Path(card)) if card is not None else ""
    _refuse_model(run)
    loaded = resolve_encoder(run)
    config, seen = loaded.config, loaded.seen
    claim_output(Path(out), MODEL_OUTPUT, recipe=recipe_of(config), recipe_of=recipe_in, overwrite=overwrite)
    learned = config.pretraining.cohort if config.pretraining is not None else None
    # Equal numbers: everybody in the lists is of this cohort, so its source stands for them all.
    if learned and learned.simulation and len(seen.patients) == learned.n_patients:
        seen = Seen(simulated=(learned.simulation,)) | Seen(simulated=seen.simulated)
    save_encoder(out, loaded.encoder, config, seen=seen, half=half, card=text, distance=True, progress=progress)
    return load_encoder(Path(out), verify=True)


def _refuse_model(run: str | Path) -> None:
    folder = Path(run)
    if run not in SHIPPED_NAMES and (folder / CONFIG_FILE).is_file() and isinstance(read_config(folder), ModelConfig):
        raise HeartprintError(
            "not-a-run",
            f"{folder} is a model folder: its encoder may have learned from labels, which the card of an encoder does "
            "not say. Copy the folder as it is, or export the run it was made from.",
        )


def _read(card: Path) -> str:
    try:
        size = card.stat().st_size
        if size > MAX_TEXT_BYTES // 4:
            raise HeartprintError(
                "file-too-large",
                f"{card} has {size:,} bytes, too many for a card. Give a Markdown file of a few pages.",
            )
        return card.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise HeartprintError(
            "file-missing", f"There is no file {card}. Give the Markdown file for the card, or omit --card."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise HeartprintError(
            "unreadable-file", f"{card} cannot be read as UTF-8 text ({error}). Give a Markdown file for the card."
        ) from error
