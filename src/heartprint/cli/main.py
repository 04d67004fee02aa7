"""The ``heartprint`` command: registers the verbs and turns errors into one sentence."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

import heartprint
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import is_disk_full

app = typer.Typer(
    name="heartprint",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train models that read 12-lead ECG images from few labels. Research software; not a medical device.",
)

_COHORTS = "Cohorts"
_LEARN = "Learn"
_USE = "Use"


def _version(value: bool) -> None:
    if value:
        print(f"heartprint {heartprint.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def _register() -> None:
    from heartprint.cli import (
        card,
        check,
        contact,
        demo,
        download,
        duplicates,
        embed,
        evaluate,
        export,
        finetune,
        info,
        ingest,
        label,
        layouts,
        predict,
        pretrain,
        read,
        render,
        simulate,
        study,
    )

    app.command("demo", rich_help_panel="Start here")(demo.demo)
    app.command("download", rich_help_panel=_COHORTS)(download.download)
    app.add_typer(ingest.app, name="ingest", rich_help_panel=_COHORTS)
    app.command("simulate", rich_help_panel=_COHORTS)(simulate.simulate)
    app.command("info", rich_help_panel=_COHORTS)(info.info)
    app.command("label", rich_help_panel=_COHORTS)(label.label)
    app.command("card", rich_help_panel=_COHORTS)(card.card)
    app.command("duplicates", rich_help_panel=_COHORTS)(duplicates.duplicates)
    app.command("render", rich_help_panel=_COHORTS)(render.render)
    app.command("contact", rich_help_panel=_COHORTS)(contact.contact)
    app.command("layouts", rich_help_panel=_COHORTS)(layouts.layouts)
    app.command("pretrain", rich_help_panel=_LEARN)(pretrain.pretrain)
    app.command("finetune", rich_help_panel=_LEARN)(finetune.finetune)
    app.command("study", rich_help_panel=_LEARN)(study.study)
    app.command("evaluate", rich_help_panel=_USE)(evaluate.evaluate)
    app.command("read", rich_help_panel=_USE)(read.read)
    app.command("predict", rich_help_panel=_USE)(predict.predict)
    app.command("embed", rich_help_panel=_USE)(embed.embed)
    app.command("export", rich_help_panel=_USE)(export.export)
    app.command("check", rich_help_panel=_USE)(check.check)


def _fail(code: str, message: str, status: int) -> int:
    if "--json" in sys.argv:
        print(json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False))
    else:
        print(f"heartprint: {message} [{code}]", file=sys.stderr)
    return status


_RESUMED = ("demo", "download", "ingest", "read", "study")
"""Verbs that keep what they have done and take it up again."""


def _interrupted() -> int:
    if any(word in sys.argv[1:2] for word in _RESUMED):
        return _fail("interrupted", "Interrupted; run the same command again to resume.", 130)
    return _fail("interrupted", "Interrupted; the output was not written. Run the same command to start again.", 130)


def _by_ctrl_c(error: BaseException) -> bool:
    """Whether an error began as a Ctrl-C: Typer turns it into an exit, and so do imports that it breaks off."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return seen is not None


def main() -> None:
    """Run the command line; exit 2 on a mistake the user can mend, 130 on Ctrl-C."""
    # Processes started from here must not take what lies in the working directory for their modules.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    try:
        _register()
        app()
    except HeartprintError as error:
        sys.exit(_fail(error.code, error.message, 2))
    except KeyboardInterrupt:
        sys.exit(_interrupted())
    except SystemExit as end:
        if end.code == 130 and _by_ctrl_c(end):
            sys.exit(_interrupted())
        raise
    except OSError as error:
        # What a verb did not foresee: a folder that may not be written, a disk that is gone.
        if is_disk_full(error):
            what = f" while writing {error.filename}" if error.filename else ""
            sys.exit(
                _fail("disk-full", f"The disk is full{what}. Free some space, then run the same command again.", 2)
            )
        place = f" ({error.filename})" if error.filename else ""
        told = HeartprintError(
            "system-error",
            f"The system refused a file or folder: {error.strerror or error}{place}. Check that it is there and "
            "that you may read and write it.",
        )
        sys.exit(_fail(told.code, told.message, 2))
    except MemoryError:
        sys.exit(_fail("out-of-memory", "The memory is full. Lower batch_size or image_size (-o batch_size=64).", 2))
    except Exception as error:
        if not _by_ctrl_c(error):
            raise
        sys.exit(_interrupted())


if __name__ == "__main__":
    main()
