"""How the commands find a cluster: a live one, or one that was written down."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click
import yaml
from kubernetes_asyncio import config
from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import kube_config
from kubernetes_asyncio.config.kube_config import list_kube_config_contexts

from gpuspawner.capacity.transport import KubernetesTransport, TransportError
from gpuspawner.errors import GPUSpawnerError
from gpuspawner.recording import Recorded, RecordingError, opened, recorded_state

UNCHECKED = 3
"""The exit status for what could not be asked or checked: neither fine nor faulty."""

_OF_THE_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_PATIENCE = 10.0
_UNAUTHORIZED = 401
_Command = TypeVar("_Command", bound=Callable[..., Any])


class NotAskedError(click.ClickException):
    """The cluster could not be asked."""

    exit_code = UNCHECKED


@dataclass(frozen=True, slots=True)
class Where:
    """Which cluster, and which namespace of it; None for what is found by itself."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A cluster that answers.

    Attributes:
        namespace: where servers are made.
    """

    configuration: Configuration
    transport: KubernetesTransport
    namespace: str

    @property
    def address(self) -> str:
        """Where its API server is."""
        return str(self.configuration.host)

    def not_asked(self, error: Exception) -> NotAskedError:
        """That it does not answer, and what to do."""
        return NotAskedError(
            f"the API server at {self.address} cannot be asked: {error}; see that it can be "
            "reached from here, or name another with --kubeconfig or --context"
        )


def cluster_options(command: _Command) -> _Command:
    """The options by which a cluster is found; the command gets them as its `where`."""

    @wraps(command)
    def with_where(
        *, kubeconfig: Path | None, context: str | None, namespace: str | None = None, **others: Any
    ) -> Any:
        return command(where=Where(kubeconfig, context, namespace), **others)

    with_where = click.option(
        "--context", default=None, help="Of the kubeconfig; by default its current one."
    )(with_where)
    return click.option(
        "--kubeconfig",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="By default $KUBECONFIG, ~/.kube/config, or the pod's own service account.",
    )(cast("_Command", with_where))


def namespace_option(command: _Command) -> _Command:
    """The option for where servers are made, for a command with `cluster_options`."""
    return click.option(
        "--namespace", "-n", default=None, help="Of the servers; by default the context's own."
    )(command)


def recorded_option(command: _Command) -> _Command:
    """The option for a cluster that was written down."""
    return click.option(
        "--recorded",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A cluster that `gpuspawner snapshot` wrote down, instead of a live one.",
    )(command)


def json_option(command: _Command) -> _Command:
    """The option for programs."""
    return click.option("--json", "as_json", is_flag=True, help="For programs.")(command)


@asynccontextmanager
async def found(where: Where) -> AsyncIterator[Found]:
    """The cluster that `where` names, once it has answered.

    Raises:
        NotAskedError: it cannot be found, or does not answer.
    """
    configuration, namespace = await _configuration(where)
    transport = KubernetesTransport(configuration)
    cluster = Found(configuration, transport, where.namespace or namespace)
    try:
        await _knock(cluster)
        yield cluster
    finally:
        await transport.aclose()


def read_recording(file: Path) -> Recorded:
    """The state in a file.

    Raises:
        click.ClickException: it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return recorded_state(opened(stream))
    except (RecordingError, OSError) as error:
        raise click.ClickException(f"{file}: {error}") from error


async def _configuration(where: Where) -> tuple[Configuration, str]:
    """How to reach the cluster, and the namespace that comes with it."""
    configuration = Configuration()
    named = where.kubeconfig or where.context
    try:
        if named is None and _is_in_cluster():
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            return configuration, _namespace_of_the_pod()
        file = str(where.kubeconfig) if where.kubeconfig else None
        if file is None:
            _must_exist(kube_config.KUBE_CONFIG_DEFAULT_LOCATION)
        await config.load_kube_config(
            config_file=file, context=where.context, client_configuration=configuration
        )
        contexts, current = list_kube_config_contexts(file)
    except (config.ConfigException, GPUSpawnerError, OSError, yaml.YAMLError, TypeError) as error:
        words = where.kubeconfig or "the kubeconfig"
        raise NotAskedError(
            f"{words} cannot be used; name another with --kubeconfig ({error})"
        ) from error
    chosen = next((one for one in contexts if one["name"] == where.context), current) or {}
    return configuration, chosen.get("context", {}).get("namespace") or "default"


def _must_exist(paths: str) -> None:
    """Before the client looks: it would log by itself that there is none, and go on."""
    if not any(Path(path).expanduser().exists() for path in paths.split(os.pathsep) if path):
        raise NotAskedError(f"there is no kubeconfig at {paths}; name one with --kubeconfig")


def _namespace_of_the_pod() -> str:
    return _OF_THE_POD.read_text(encoding="utf-8").strip()


async def _knock(cluster: Found) -> None:
    try:
        async with cluster.transport.get(
            "/version", {}, answer_within=_PATIENCE, silence=_PATIENCE
        ) as response:
            status, body = response.status, await response.body()
    except TransportError as error:
        raise cluster.not_asked(error) from error
    if status == _UNAUTHORIZED:
        raise NotAskedError(
            f"the API server at {cluster.address} does not accept the credentials; sign in anew, "
            "or name another account with --kubeconfig or --context"
        )
    try:
        json.loads(body)
    except ValueError:
        raise cluster.not_asked(ValueError("what answers is no API server")) from None


def _is_in_cluster() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ
