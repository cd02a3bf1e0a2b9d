"""``gpuspawner snapshot``: the state of a live cluster, to be sent and replayed."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import yaml
from kubernetes_asyncio import config
from kubernetes_asyncio.client import Configuration

from gpuspawner._version import __version__
from gpuspawner.capacity.taking import Taken, take
from gpuspawner.capacity.transport import KubernetesTransport, TransportError
from gpuspawner.errors import GPUSpawnerError


@click.command()
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="By default $KUBECONFIG, ~/.kube/config, or the pod's own service account.",
)
@click.option("--context", default=None, help="Of the kubeconfig; by default its current one.")
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
    kubeconfig: Path | None,
    context: str | None,
    output: Path,
    keep_names: bool,  # noqa: FBT001 - click's way
) -> None:
    """Write down the nodes, the pods and what else decides where a pod fits.

    Only what a verdict looks at is written: no environment, no annotations, no images. Names of
    pods, claims, volumes, namespaces and people are replaced unless they are to be kept, and so are
    labels with a person's name in them. What stays: names and labels of nodes, selectors over them,
    taints, names of classes, other labels, kube-system and default. Look through it if nodes or
    classes are named after people. Waiting pods are the candidates, with what the scheduler said of
    them; see `gpuspawner verdict --recorded`.

    It needs the rights of helm-values/clusterrole.yaml; what is refused is unknown in a replay.
    """
    if str(output) != "-" and not output.parent.is_dir():
        raise click.ClickException(f"there is no directory {output.parent}")
    try:
        taken = asyncio.run(_take(kubeconfig, context, keep_names=keep_names))
    except GPUSpawnerError as error:
        raise click.ClickException(str(error)) from error
    except (config.ConfigException, yaml.YAMLError, TypeError) as error:
        where = kubeconfig or "the kubeconfig"
        raise click.ClickException(
            f"{where} cannot be used; name another with --kubeconfig ({error})"
        ) from error
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


async def _take(kubeconfig: Path | None, context: str | None, *, keep_names: bool) -> Taken:
    configuration = Configuration()
    if kubeconfig is None and context is None and _in_cluster():
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        await config.load_kube_config(
            config_file=str(kubeconfig) if kubeconfig else None,
            context=context,
            client_configuration=configuration,
        )
    transport = KubernetesTransport(configuration)
    try:
        return await take(transport, progress=_say, keep_names=keep_names)
    except TransportError as error:
        raise click.ClickException(f"the API server cannot be asked: {error}") from error
    finally:
        await transport.aclose()


def _in_cluster() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ


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
