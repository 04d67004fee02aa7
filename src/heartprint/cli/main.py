"""The ``heartprint`` command: registers the verbs and turns errors into one sentence."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

import heartprint
from heartprint.foundation.errors import HeartprintError

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


def main() -> None:
    """Run the command line; exit 2 on a mistake the user can mend, 130 on Ctrl-C."""
    # Processes started from here must not take what lies in the working directory for their modules.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    _register()
    try:
        app()
    except HeartprintError as error:
        sys.exit(_fail(error.code, error.message, 2))
    except KeyboardInterrupt:
        sys.exit(_fail("interrupted", "Stopped. Run the same command again to go on.", 130))
    except OSError as error:
        # What a verb did not foresee: a folder that may not be written, a disk that is gone.
        place = f" ({error.filename})" if error.filename else ""
        told = HeartprintError(
            "system-error",
            f"The system refused a file or folder: {error.strerror or error}{place}. Check that it is there and "
            "that you may read and write it.",
        )
        sys.exit(_fail(told.code, told.message, 2))
    except MemoryError:
        sys.exit(_fail("out-of-memory", "The memory is full. Lower batch_size or image_size (-o batch_size=64).", 2))


if __name__ == "__main__":
    main()
