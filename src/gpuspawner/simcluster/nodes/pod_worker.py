"""One pod on its node, from admission to the end of its deletion."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from gpuspawner.capacity.model import read_pod
from gpuspawner.simcluster.apimachinery.objects import Object, timestamp, utc_now
from gpuspawner.simcluster.nodes import containers, deadlines
from gpuspawner.simcluster.nodes.addresses import AddressError
from gpuspawner.simcluster.nodes.containers import ContainerConfigError, Placement
from gpuspawner.simcluster.nodes.deadlines import ActiveDeadline
from gpuspawner.simcluster.nodes.devices import DeviceError
from gpuspawner.simcluster.nodes.node_agent import NodeAgent
from gpuspawner.simcluster.nodes.pod_status import StatusWriter
from gpuspawner.simcluster.nodes.processes import Command, PodProcess
from gpuspawner.simcluster.nodes.volumes import mount_failures
from gpuspawner.simcluster.recorder import NORMAL, WARNING
from gpuspawner.simcluster.storage.lifecycle import TERMINAL_PHASES

START_ERROR_CODE = 128
"""The exit code a kubelet reports of a command that could not be started."""
RESYNC_SECONDS = 1.0
"""After which a container that could not be configured is tried again; a kubelet takes ten."""
FIRST_MOUNT_RETRY_SECONDS = 0.5
LAST_MOUNT_RETRY_SECONDS = 122.0


@dataclass(frozen=True, slots=True)
class _Started:
    """A container that runs; a simulated one has no process."""

    at: str
    process: PodProcess | None


class PodWorker:
    """Runs one pod.

    It follows a kubelet's sequence: admission, volumes, image pull, start, running, and after a
    deletion, or past its active deadline, SIGTERM, the grace period and SIGKILL. A container that
    ends is not started again, whatever the pod's ``restartPolicy``; init containers are not run,
    and of several containers only the main one is.
    """

    def __init__(self, agent: NodeAgent, pod: Object) -> None:
        self._agent = agent
        self._pod = pod
        self._uid: str = pod["metadata"]["uid"]
        self._namespace: str = pod["metadata"]["namespace"]
        self._name: str = pod["metadata"]["name"]
        self._stopping = asyncio.Event()
        self._deleting = asyncio.Event()
        self._active = ActiveDeadline(pod["spec"].get("activeDeadlineSeconds"), self._expire)
        self._has_expired = False
        self._is_over = False
        self._is_freed = False
        self._deadline = float("inf")
        self._grace: asyncio.Timeout | None = None
        self._is_gone = False
        self._devices: Mapping[str, tuple[str, ...]] = {}
        self._started: _Started | None = None
        self._status = StatusWriter(pod, Placement(agent.name, agent.host_ip, ""), _now())

    def stop(self, grace_seconds: float) -> None:
        """Delete the pod; asked again, the shorter grace period counts."""
        self._deleting.set()
        self._end_within(grace_seconds)

    def _end_within(self, grace_seconds: float) -> None:
        self._deadline = min(self._deadline, asyncio.get_running_loop().time() + grace_seconds)
        self._stopping.set()
        if self._grace is not None:
            self._grace.reschedule(self._deadline)

    def follow(self, pod: Object) -> None:
        """Take over what may change in the spec of a pod on a node."""
        self._active.change(pod["spec"].get("activeDeadlineSeconds"))

    def abandon(self) -> None:
        """End at once: the pod is gone from the API, or its node is switched off."""
        self._is_gone = True
        self.stop(0)

    async def run(self) -> None:
        """Run the pod until it is deleted."""
        try:
            await self._bring_up()
            await self._outlive()
            await self._stopping.wait()
            await self._end()
            await self._deleting.wait()
        finally:
            self._active.cancel()
            self._free()
        if not self._is_gone:
            self._agent.finalize(self._pod)

    async def _bring_up(self) -> None:
        """Start the main container, unless something speaks against it."""
        if not self._admit():
            return
        image = str(containers.main_container(self._pod).get("image", ""))
        if not await self._mount() or not await self._pull(image) or self._stopping.is_set():
            return
        if containers.is_simulated(self._pod):
            self._has_started(None)
        elif self._fails("exit"):
            self._has_started(None)
            self._has_ended(1)
        elif self._fails("crash-loop"):
            self._crash()
        else:
            await self._start()

    def _admit(self) -> bool:
        if self._fails("admission"):
            return self._reject("Allocate failed due to a failure that was asked for")
        try:
            requests = read_pod(self._pod).requests
            self._devices = self._agent.devices.allocate(self._uid, requests)
            pod_ip = self._agent.address(self._pod)
        except (DeviceError, AddressError) as error:
            return self._reject(str(error))
        placement = Placement(self._agent.name, self._agent.host_ip, pod_ip)
        started_at = self._pod["status"].get("startTime") or _now()
        self._status = StatusWriter(self._pod, placement, started_at)
        self._write(self._status.waiting("ContainerCreating"))
        self._active.start(started_at)
        return True

    def _reject(self, message: str) -> bool:
        self._free()
        reason = "UnexpectedAdmissionError"
        self._write(self._status.rejected(reason, message, _now()))
        self._say(WARNING, reason, message)
        return False

    def _fails(self, how: str) -> bool:
        return containers.metadata_value(self._pod, containers.FAIL) == how

    async def _mount(self) -> bool:
        """Whether the volumes are mounted now, rather than the pod deleted."""
        delay = FIRST_MOUNT_RETRY_SECONDS
        while failures := list(mount_failures(self._pod, partial(self._agent.data_of, self._pod))):
            self._write(self._status.unmounted())
            for message in failures:
                self._say(WARNING, "FailedMount", message)
            if await self._is_stopped_within(delay):
                return False
            delay = min(2 * delay, LAST_MOUNT_RETRY_SECONDS)
        if delay > FIRST_MOUNT_RETRY_SECONDS:
            self._write(self._status.waiting("ContainerCreating"))
        return True

    async def _pull(self, image: str) -> bool:
        """Whether the image is there now; none is ever pulled."""
        if self._fails("image"):
            self._fail_pull(image)
            return False
        if self._agent.has_image(image):
            self._tell(NORMAL, "Pulled", f'Container image "{image}" already present on machine')
            return True
        self._tell(NORMAL, "Pulling", f'Pulling image "{image}"')
        seconds = self._agent.image_pull_seconds
        if await self._is_stopped_within(seconds):
            return False
        self._agent.keep_image(image)
        self._tell(NORMAL, "Pulled", f'Successfully pulled image "{image}" in {seconds:g}s')
        return True

    def _fail_pull(self, image: str) -> None:
        # As containerd says it of a registry that has no such manifest.
        message = (
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": '
            f'failed to resolve reference "{image}": {image}: not found'
        )
        self._tell(NORMAL, "Pulling", f'Pulling image "{image}"')
        self._tell(WARNING, "Failed", f'Failed to pull image "{image}": {message}')
        self._tell(WARNING, "Failed", "Error: ErrImagePull")
        self._write(self._status.waiting("ErrImagePull", message))
        self._tell(NORMAL, "BackOff", f'Back-off pulling image "{image}"')
        self._tell(WARNING, "Failed", "Error: ImagePullBackOff")
        back_off = f'Back-off pulling image "{image}": ErrImagePull: {message}'
        self._write(self._status.waiting("ImagePullBackOff", back_off))

    async def _start(self) -> None:
        command = await self._configure()
        if command is None:
            return
        try:
            if shutil.which(command.argv[0], path=command.env["PATH"]) is None:
                raise FileNotFoundError(
                    f'exec: "{command.argv[0]}": executable file not found in $PATH'
                )
            process = await PodProcess.start(command)
        except OSError as error:
            message = f"failed to create containerd task: {error}"
            self._write(self._status.not_started("StartError", message, START_ERROR_CODE, _now()))
            self._tell(WARNING, "Failed", f"Error: {message}")
            return
        self._has_started(process)

    async def _configure(self) -> Command | None:
        """The command, once all that it is made of is there; None if the pod is deleted before."""
        while True:
            try:
                return self._command()
            except ContainerConfigError as error:
                self._write(self._status.waiting("CreateContainerConfigError", str(error)))
                self._tell(WARNING, "Failed", f"Error: {error}")
            if await self._is_stopped_within(RESYNC_SECONDS):
                return None

    def _command(self) -> Command:
        pod, placement = self._pod, self._status.placement
        home = self._agent.home(pod)
        node_env = {"PATH": self._agent.path, "HOME": str(home), **self._visible_devices()}
        env = containers.environment(pod, placement, self._agent.key_lookup(pod), node_env=node_env)
        argv = containers.arguments(pod, env, placement.pod_ip, as_root=os.geteuid() == 0)
        return Command(argv, env, home, self._agent.log(pod))

    def _visible_devices(self) -> dict[str, str]:
        """What NVIDIA's device plugin tells a container."""
        ids = [
            device
            for resource, devices in self._devices.items()
            if resource.startswith("nvidia.com/")
            for device in devices
        ]
        return {"NVIDIA_VISIBLE_DEVICES": ",".join(ids)} if ids else {}

    def _has_started(self, process: PodProcess | None) -> None:
        self._started = _Started(_now(), process)
        self._tell(NORMAL, "Created", "Container created")
        self._tell(NORMAL, "Started", "Container started")
        self._write(self._status.running(self._started.at))

    def _crash(self) -> None:
        """The container ends, is started once more, and ends again."""
        name = containers.main_container(self._pod)["name"]
        message = f"restarting failed container={name} pod={self._name}_{self._namespace}"
        for _ in range(2):
            self._tell(NORMAL, "Started", "Container started")
        self._tell(WARNING, "BackOff", f"Back-off {message}({self._uid})")
        said = f"back-off 10s {message}({self._uid})"
        self._write(self._status.backing_off(said, 1, _now(), _now()))

    async def _outlive(self) -> None:
        """Wait until the process ends, if there is one, or the pod is deleted."""
        process = self._started.process if self._started else None
        if process is None:
            return
        exit_ = asyncio.create_task(process.wait())
        stop = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((exit_, stop), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if exit_.done():
            self._has_ended(exit_.result())
        else:
            exit_.cancel()

    def _has_ended(self, exit_code: int) -> None:
        """The container ended: the pod keeps its name, and gives back all else."""
        if self._started is not None:
            self._write(self._status.finished(exit_code, self._started.at, _now()))
        self._started = None
        self._free()

    def _expire(self) -> None:
        """The pod was active for as long as it may be."""
        self._has_expired = True
        self._say(NORMAL, deadlines.REASON, deadlines.MESSAGE)
        self._end_within(float(self._pod["spec"].get("terminationGracePeriodSeconds") or 0))

    async def _end(self) -> None:
        """Stop what still runs; of a pod past its deadline, nothing is left but its name."""
        if self._started is None:
            if self._has_expired and not self._is_over:
                self._write(self._status.never_located(_now()))
                self._free()
            return
        name = containers.main_container(self._pod)["name"]
        self._tell(NORMAL, "Killing", f"Stopping container {name}")
        process = self._started.process
        self._has_ended(0 if process is None else await self._stop(process))

    async def _stop(self, process: PodProcess) -> int:
        process.terminate()
        try:
            async with asyncio.timeout_at(self._deadline) as self._grace:
                return await process.wait()
        except TimeoutError:
            return await process.kill()
        finally:
            self._grace = None

    async def _is_stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    def _free(self) -> None:
        """Give back what the pod was given, once: its address may be another pod's afterwards."""
        if self._is_freed:
            return
        self._is_freed = True
        self._agent.devices.release(self._uid)
        self._agent.release_address(self._status.placement.pod_ip)

    def _write(self, status: Object) -> None:
        """Write the status, unless the pod is gone and nobody told us yet.

        Whatever ends a pod past its deadline, it is the deadline that is said to have ended it.
        """
        if status["phase"] in TERMINAL_PHASES:
            status = self._status.expired(status) if self._has_expired else status
            self._is_over = True
            self._active.cancel()
        if not self._is_gone:
            self._agent.write_status(self._pod, status)

    def _say(self, kind: str, reason: str, message: str, field_path: str = "") -> None:
        if not self._is_gone:
            self._agent.say(self._pod, kind, reason, message, field_path)

    def _tell(self, kind: str, reason: str, message: str) -> None:
        """Say something of the container."""
        name = containers.main_container(self._pod)["name"]
        self._say(kind, reason, message, f"spec.containers{{{name}}}")


def _now() -> str:
    return timestamp(utc_now())
