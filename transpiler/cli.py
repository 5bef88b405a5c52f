"""The command ``transpile``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from transpiler import __version__

EPILOG = """Exit status: 0 all translated; 1 something could not be translated (the output is written, and raises
NotImplementedError where something is missing), --check found a difference, or --verify a mismatch; 2 usage error, an
input that cannot be read or parsed, or --verify without keras and torch."""


@click.command(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="PATH", help="Output file (`-`: standard output), or a directory.")
@click.option("--drop-in", is_flag=True, help="The module takes and returns exactly the arrays the Keras model did.")
@click.option("--entry", metavar="EXPR", multiple=True, help='Trace this call, "build_unet((128, 128, 3), 2)".')
@click.option("--weights", metavar="FILE", help="Convert this Keras weight file (.weights.h5, .h5, .keras).")
@click.option("--weights-out", metavar="FILE", help="Where to: .pt or .safetensors.  [default: same stem, .pt]")
@click.option("--model", metavar="NAME", help="The model the weights are of, as the source calls it.")
@click.option("--verify", is_flag=True, help="Compare with real Keras: runs code of FILE (nothing else does).")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if an output would change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@click.option("--report", metavar="FILE", help="Write diagnostics and models as JSON.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    help="How diagnostics are printed.",
)
@click.version_option(__version__, prog_name="transpile")
def command(
    files: tuple[str, ...],
    output: str | None,
    drop_in: bool,
    entry: tuple[str, ...],
    weights: str | None,
    weights_out: str | None,
    model: str | None,
    verify: bool,
    check: bool,
    diff: bool,
    report: str | None,
    form: str,
) -> int:
    """Translate Keras programs to PyTorch.

    FILE is a Python file, a notebook, a directory, or `-` for standard input to standard output. The output of
    NAME.py is NAME_torch.py beside it, that of NAME.ipynb is NAME_torch.ipynb.
    """
    from transpiler.jobs import UsageError
    from transpiler.options import SettingsError
    from transpiler.session import Request, Session

    request = Request(
        output=output,
        drop_in=drop_in,
        entry=entry,
        weights=Path(weights) if weights else None,
        weights_out=Path(weights_out) if weights_out else None,
        model=model,
        verify=verify,
        check=check,
        diff=diff,
        report=Path(report) if report else None,
        form=form,
    )
    try:
        return Session(request).run(files)
    except (UsageError, SettingsError) as error:
        raise click.UsageError(str(error)) from error


def main() -> None:
    """Run the command; a user never sees a traceback, unless TRANSPILER_DEBUG is set."""
    try:
        status = command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        status = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit is quiet
        status = 141
    sys.exit(status)
