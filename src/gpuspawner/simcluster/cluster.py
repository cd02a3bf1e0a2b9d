"""A whole cluster in one process: API server, scheduler, kubelets, and other people's pods."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, overload

import yaml

from gpuspawner.errors import GPUSpawnerError
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.apiserver.access import AccessRules
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.apiserver.faults import FaultPlan
from gpuspawner.simcluster.autoscaler import Autoscaler
from gpuspawner.simcluster.bystanders import BystanderProcess
from gpuspawner.simcluster.description import ClusterDescription
from gpuspawner.simcluster.manifests import (
    cluster_manifests,
    kubeconfig,
    sites,
    system_pods,
)
from gpuspawner.simcluster.nodes.addresses import LoopbackAddresses, PodSubnet
from gpuspawner.simcluster.nodes.devices import DeviceManager
from gpuspawner.simcluster.nodes.kubelet import Kubelets
from gpuspawner.simcluster.nodes.node_agent import NodeAgent, PodLogs
from gpuspawner.simcluster.provisioning import Provisioner
from gpuspawner.simcluster.recorder import EventRecorder
from gpuspawner.simcluster.scheduling.scheduler import Scheduler
from gpuspawner.simcluster.storage.store import Store
from gpuspawner.simcluster.waiting import wait_until

T = TypeVar("T")

_ALREADY_EXISTS = 409


class SimClusterError(GPUSpawnerError):
    """The cluster is not running, or a part of it has failed."""


class SimCluster:
    """A simulated cluster that runs while its context is entered.

    Pods whose command is found on this machine run as local processes; leaving the context ends
    every one of them, and so does the end of this process, whichever way it comes.

    Args:
        description: what is in the cluster.
        host: where the API server listens.
        port: its port; 0 takes any that is free.
        state_dir: where home directories and logs are kept; if None, a temporary directory that
            is removed with the cluster.
        access: who may do what; None lets anybody do anything.
    """

    def __init__(
        self,
        description: ClusterDescription,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state_dir: Path | None = None,
        access: AccessRules | None = None,
    ) -> None:
        self.description = description
        self.store = Store()
        self.faults = FaultPlan()
        self.bystanders = (
            BystanderProcess(self.store, description.bystanders) if description.bystanders else None
        )
        self._address = (host, port)
        self._state_dir = state_dir
        self._access = access
        self._logs: PodLogs | None = None
        self._url: str | None = None
        self._components: list[asyncio.Task[None]] = []
        self._resources = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where the API server is, as ``http://host:port``.

        Raises:
            SimClusterError: it is not running.
        """
        if self._url is None:
            raise SimClusterError("the cluster is not running; enter it with `async with`")
        return self._url

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            directory = self._directory(stack)
            self._logs = PodLogs(directory / "logs")
            _create_all(self.store, self.description)
            addresses = LoopbackAddresses()
            stack.callback(addresses.close)
            self._start_components(stack, list(self._agents(directory, addresses)))
            app = make_app(
                self.store, faults=self.faults, access=self._access, logs=self._logs.read
            )
            self._url = await stack.enter_async_context(serve(app, *self._address))
            self._resources = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._url = None
        await self._resources.__aexit__(kind, error, traceback)

    def write_kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig for this cluster to `path`; the path."""
        text = yaml.safe_dump(kubeconfig(self.description.name, self.url), sort_keys=False)
        path.write_text(text, encoding="utf-8")
        return path

    def pod_log(self, namespace: str, name: str) -> str:
        """What the newest pod of that name has written; empty if none ever started a process."""
        log = self._logs.read(namespace, name) if self._logs else None
        return (log or b"").decode(errors="replace")

    def pause_bystanders(self) -> None:
        """Keep other people's pods as they are, until `resume_bystanders`."""
        if self.bystanders is not None:
            self.bystanders.pause()

    def resume_bystanders(self) -> None:
        """Let other people's pods come and go again."""
        if self.bystanders is not None:
            self.bystanders.resume()

    @overload
    async def wait_until(
        self,
        condition: Callable[[], Awaitable[T | None]],
        timeout: float = ...,  # noqa: ASYNC109 - as below
    ) -> T: ...
    @overload
    async def wait_until(
        self,
        condition: Callable[[], T | None],
        timeout: float = ...,  # noqa: ASYNC109 - as below
    ) -> T: ...

    async def wait_until(
        self,
        condition: Callable[[], object],
        timeout: float = 10.0,  # noqa: ASYNC109 - the error says for what and for how long
    ) -> object:
        """Wait until `condition`, which may be a coroutine function, gives something true; that.

        Raises:
            TimeoutError: it did not within `timeout` seconds.
            SimClusterError: a part of the cluster has failed.
        """

        @wraps(condition)
        def checked() -> object:
            self._raise_failures()
            return condition()

        return await wait_until(checked, timeout)

    def _directory(self, stack: AsyncExitStack) -> Path:
        if self._state_dir is not None:
            return self._state_dir
        # A process that is killed while it writes may put a file back as its directory goes.
        temporary = tempfile.TemporaryDirectory(prefix="simcluster-", ignore_cleanup_errors=True)
        return Path(stack.enter_context(temporary))

    def _agents(self, directory: Path, addresses: LoopbackAddresses) -> Iterable[NodeAgent]:
        recorder = EventRecorder(self.store)
        logs = self._logs or PodLogs(directory / "logs")
        for site in sites(self.description):
            yield NodeAgent(
                name=site.name,
                host_ip=site.host_ip,
                store=self.store,
                recorder=recorder,
                devices=DeviceManager(site.name, site.pool.allocatable),
                addresses=addresses,
                subnet=PodSubnet(site.pod_subnet),
                homes=directory / "homes",
                logs=logs,
                image_pull_seconds=self.description.image_pull_seconds,
            )

    def _start_components(self, stack: AsyncExitStack, agents: list[NodeAgent]) -> None:
        scheduler = Scheduler(
            self.store,
            EventRecorder(self.store),
            names=self.description.schedulers,
            strategy=self.description.gpu_strategy,
            backoff=self.description.scheduler_backoff_seconds,
        )
        components = [
            Kubelets(self.store, agents).run(),
            scheduler.run(),
            Provisioner(self.store).run(),
        ]
        if any(pool.autoscaling for pool in self.description.node_pools):
            components.append(Autoscaler(self.store, self.description).run())
        if self.bystanders is not None:
            self.bystanders.populate()
            components.append(self.bystanders.run())
        self._components = [asyncio.create_task(component) for component in components]
        stack.push_async_callback(self._stop_components)

    async def _stop_components(self) -> None:
        for task in self._components:
            task.cancel()
        await asyncio.wait(self._components)
        self._raise_failures()

    def _raise_failures(self) -> None:
        for task in self._components:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise SimClusterError(f"a part of the cluster has failed: {error}") from error


def _create_all(store: Store, description: ClusterDescription) -> None:
    for resource, namespace, obj in cluster_manifests(description):
        try:
            store.create(resource, namespace, obj)
        except ApiError as error:
            if error.code != _ALREADY_EXISTS:  # every cluster has some namespaces from the start
                raise
    for site in sites(description):
        if site.name in site.pool.node_names:
            for namespace, pod in system_pods(description, site):
                store.create(PODS, namespace, pod)
