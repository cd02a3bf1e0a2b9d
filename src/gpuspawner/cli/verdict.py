"""``gpuspawner verdict``: our verdicts on what was recorded."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import IO

import click

from gpuspawner.recording import RecordingError, candidates, opened, verdict_line

_EVERY = 500


@click.command()
@click.option(
    "--recorded",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="A recording, compressed by gzip or not; - is standard input.",
)
@click.option("--summary", is_flag=True, help="Say at the end, on standard error, how many fit.")
def verdict(file: Path, summary: bool) -> None:  # noqa: FBT001 - click's way
    """Judge every candidate of a recording and print one JSON line for each, in order.

    A candidate is a pod that waited when the recording was made. Of each is said its state (the
    line of the recording) and its number there; "fits": true, false, or null for unknown; on how
    many "nodes" it would fit now; "slots", how many like it fit one after another (null if that
    cannot be told); "reasons", the number of nodes by the scheduler's words; "unchecked", what
    could not be checked.
    """
    count: Counter[bool | None] = Counter()
    with click.open_file(str(file), "rb") as stream:
        try:
            for candidate in candidates(opened(stream)):
                line = verdict_line(candidate)
                count[line["fits"]] += 1
                click.echo(json.dumps(line))
                _progress(sum(count.values()), sys.stderr)
        except RecordingError as error:
            raise click.ClickException(f"{file}: {error}") from error
    if not count:
        raise click.ClickException(f"{file}: no pod waits in it, so there is nothing to judge")
    if summary:
        click.echo(
            f"{sum(count.values())} judged: {count[True]} fit, {count[False]} do not, "
            f"{count[None]} unknown",
            err=True,
        )


def _progress(done: int, stream: IO[str]) -> None:
    if stream.isatty() and done % _EVERY == 0:
        click.echo(f"\r{done} judged", err=True, nl=False)
