"""``gpuspawner snapshot``: the state of a live cluster, to be sent and replayed."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gpuspawner._version import __version__
from gpuspawner.capacity.taking import Taken, take
from gpuspawner.capacity.transport import TransportError
from gpuspawner.cli.connecting import NotAskedError, Where, cluster_options, found
from gpuspawner.errors import GPUSpawnerError


@click.command()
@cluster_options
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default=Path("-"),
    help="Where to; compressed if it ends in .gz. By default standard output.",
)
@click.option(
    "--keep-names",
    is_flag=True,
    help="Replace no names.",
)
def snapshot(
    *,
    where: Where,
    output: Path,
    keep_names: bool,
) -> None:
    """Write down the nodes, the pods and what else decides where a pod fits.

    Only what a verdict looks at is written: no environment, no annotations, no images. Names of
    pods, claims, volumes, namespaces and people are replaced unless they are to be kept, and so are
    labels with a person's name in them. What stays: names and labels of nodes, selectors over them,
    taints, names of classes, other labels, kube-system and default. Look through it if nodes or
    classes are named after people. Waiting pods are the candidates, with what the scheduler said of
    them; see `gpuspawner verdict --recorded`.

    It needs the rights of helm-values/clusterrole.yaml, and to list runtimeclasses and
    priorityclasses; what is refused is unknown in a replay. Where names were replaced, the claims
    and quotas of a namespace are unknown to `gpuspawner explain` and `validate`: --keep-names.

    The exit status is 3 if the cluster could not be asked.
    """
    if str(output) != "-" and not output.parent.is_dir():
        raise click.ClickException(f"there is no directory {output.parent}")
    try:
        taken = asyncio.run(_take(where, keep_names=keep_names))
    except GPUSpawnerError as error:
        raise NotAskedError(str(error)) from error
    lines = [
        {
            "gpuspawner": __version__,
            "kubernetes": taken.version,
            "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        taken.state,
    ]
    _write(output, "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines))
    waiting = len(taken.state["candidates"])
    pods = len(taken.state["pods"])
    click.echo(
        f"{len(taken.state['nodes'])} nodes, {pods} pods, {waiting} of them waiting to be judged",
        err=True,
    )
    for kind, why in taken.unknown.items():
        click.echo(f"not written down, and unknown in a replay: {kind} ({why})", err=True)


async def _take(where: Where, *, keep_names: bool) -> Taken:
    async with found(where) as cluster:
        try:
            return await take(cluster.transport, progress=_say, keep_names=keep_names)
        except TransportError as error:
            raise cluster.not_asked(error) from error


def _say(words: str) -> None:
    if sys.stderr.isatty():
        click.echo(words, err=True)


def _write(output: Path, text: str) -> None:
    if str(output) == "-":
        click.echo(text, nl=False)
        return
    data: Any = text.encode()
    output.write_bytes(gzip.compress(data) if output.suffix == ".gz" else data)
    click.echo(f"written to {output}", err=True)
