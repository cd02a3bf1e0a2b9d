"""Pods on nodes: as local processes, and as marks in the store."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import CONFIGMAPS, EVENTS, PODS, SECRETS
from gpuspawner.simcluster.nodes import containers, pod_worker, shim
from gpuspawner.simcluster.nodes.addresses import AddressError, LoopbackAddresses, PodSubnet
from gpuspawner.simcluster.nodes.containers import (
    ContainerConfigError,
    MissingObjectError,
    Placement,
)
from gpuspawner.simcluster.nodes.devices import DeviceError, DeviceManager
from gpuspawner.simcluster.nodes.kubelet import Kubelets
from gpuspawner.simcluster.nodes.node_agent import NodeAgent, PodLogs
from gpuspawner.simcluster.recorder import EventRecorder
from gpuspawner.simcluster.storage.store import Store
from gpuspawner.simcluster.waiting import wait_until

GPU = "nvidia.com/gpu"
MIG = "nvidia.com/mig-1g.5gb"
SECONDS = 20
# Whoever runs these tests at the same time on the same machine looks elsewhere.
FIRST_ADDRESS = f"127.1.{64 + os.getpid() % 128}.1"


class Node:
    """A store, and a kubelet at work on one node of it."""

    def __init__(self, state: Path) -> None:
        self.store = Store()
        self.logs = PodLogs(state / "logs")
        self.agent = NodeAgent(
            name="worker",
            host_ip="10.0.0.10",
            store=self.store,
            recorder=EventRecorder(self.store),
            devices=DeviceManager("worker", {GPU: 2, MIG: 2, "cpu": 8000}),
            addresses=LoopbackAddresses(FIRST_ADDRESS),
            subnet=PodSubnet(IPv4Network("10.42.0.0/24")),
            homes=state / "homes",
            logs=self.logs,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(Kubelets(self.store, [self.agent]).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            self.agent.addresses.close()

    def create(self, pod: Object) -> Object:
        return self.store.create(PODS, "default", pod)

    def pod(self, name: str = "p") -> Object | None:
        objects, _ = self.store.list(PODS, "default", field_selector=f"metadata.name={name}")
        return objects[0] if objects else None

    def status(self, name: str = "p") -> Object:
        status: Object = (self.pod(name) or {}).get("status") or {}
        return status

    def container(self, name: str = "p") -> Object:
        statuses = self.status(name).get("containerStatuses") or [{}]
        first: Object = statuses[0]
        return first

    def waiting_for(self, name: str = "p") -> str:
        return str(((self.container(name).get("state") or {}).get("waiting") or {}).get("reason"))

    def log(self, name: str = "p") -> str:
        return (self.logs.read("default", name) or b"").decode()

    def said(self, name: str = "p") -> list[str]:
        events = self.store.list(EVENTS, "default")[0]
        mine = [event for event in events if event["involvedObject"]["name"] == name]
        return [
            event["reason"]
            for event in sorted(mine, key=lambda e: int(e["metadata"]["resourceVersion"]))
        ]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition of the store."""
        await wait_until(condition, SECONDS)

    async def phase(self, phase: str, name: str = "p") -> None:
        await self.until(lambda: self.status(name).get("phase") == phase)

    async def gone(self, name: str = "p") -> None:
        await self.until(lambda: self.pod(name) is None)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path)
    async with node.running():
        yield node


def a_pod(
    *command: str,
    name: str = "p",
    env: Sequence[Mapping[str, Any]] = (),
    annotations: Mapping[str, str] | None = None,
    requests: Mapping[str, str] | None = None,
    claim: str | None = None,
    ports: Sequence[int] = (8888,),
    grace: int = 30,
) -> Object:
    container: Object = {
        "name": "notebook",
        "image": "example.org/nowhere:1",
        "args": list(command),
        "env": list(env),
        "ports": [{"containerPort": port} for port in ports],
        "resources": {"limits": dict(requests or {})},
    }
    spec: Object = {
        "nodeName": "worker",
        "containers": [container],
        "terminationGracePeriodSeconds": grace,
    }
    if claim:
        spec["volumes"] = [{"name": "home", "persistentVolumeClaim": {"claimName": claim}}]
        container["volumeMounts"] = [{"name": "home", "mountPath": "/home/jovyan"}]
    return {"metadata": {"name": name, "annotations": dict(annotations or {})}, "spec": spec}


def python(code: str, **more: Any) -> Object:
    return a_pod("python", "-u", "-c", textwrap.dedent(code), **more)


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def reach(address: str, port: int) -> bytes:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                reader, writer = await asyncio.open_connection(address, port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
                continue
            writer.write(b"GET /hello.txt HTTP/1.0\r\n\r\n")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer


SERVER = ("python", "-m", "http.server", "8888", "--bind", "0.0.0.0")


class TestProcesses:
    async def test_a_server_is_reached_at_its_pods_address_until_it_is_deleted(
        self, node: Node
    ) -> None:
        home = node.agent.homes / "default" / "pod-p"
        home.mkdir(parents=True)
        (home / "hello.txt").write_text("hello from the pod")
        node.create(a_pod(*SERVER))
        await node.phase("Running")
        address = node.status()["podIP"]
        assert (await reach(address, 8888)).endswith(b"hello from the pod")
        node.store.delete(PODS, "default", "p")
        await node.gone()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(address, 8888)

    async def test_pods_listen_on_the_same_port_at_addresses_of_their_own(self, node: Node) -> None:
        for name in ("a", "b"):
            node.create(a_pod(*SERVER, name=name))
            await node.phase("Running", name)
        addresses = [node.status(name)["podIP"] for name in ("a", "b")]
        assert len(set(addresses)) == 2
        for address in addresses:
            assert address.startswith("127.1.")
            assert b"404" in await reach(address, 8888)

    async def test_the_status_of_a_running_pod_is_complete(self, node: Node) -> None:
        node.create(a_pod("sleep", "1000"))
        await node.phase("Running")
        status, container = node.status(), node.container()
        assert status["hostIP"] == "10.0.0.10"
        assert status["podIPs"] == [{"ip": status["podIP"]}]
        assert status["startTime"]
        assert status["qosClass"] == "BestEffort"
        assert {c["type"]: c["status"] for c in status["conditions"]} == {
            "PodScheduled": "True",
            "PodReadyToStartContainers": "True",
            "Initialized": "True",
            "ContainersReady": "True",
            "Ready": "True",
        }
        assert container["name"] == "notebook"
        assert container["ready"] is True
        assert container["restartCount"] == 0
        assert container["image"] == "example.org/nowhere:1"
        assert container["imageID"].startswith("example.org/nowhere:1@sha256:")
        assert container["state"]["running"]["startedAt"]
        assert node.said() == ["Pulling", "Pulled", "Created", "Started"]

    @pytest.mark.parametrize(
        ("code", "phase", "exit_code", "reason"),
        [
            pytest.param("", "Succeeded", 0, "Completed", id="a process that is done"),
            pytest.param("raise SystemExit(3)", "Failed", 3, "Error", id="one that fails"),
            pytest.param(
                "import os; os.kill(os.getpid(), 9)",
                "Failed",
                137,
                "Error",
                id="one that is killed",
            ),
        ],
    )
    async def test_a_process_that_ends_ends_its_pod(
        self, node: Node, code: str, phase: str, exit_code: int, reason: str
    ) -> None:
        node.create(python(code))
        await node.phase(phase)
        terminated = node.container()["state"]["terminated"]
        assert (terminated["exitCode"], terminated["reason"]) == (exit_code, reason)
        assert node.container()["ready"] is False
        node.store.delete(PODS, "default", "p")
        await node.gone()

    async def test_what_it_writes_is_its_log(self, node: Node) -> None:
        node.create(python("import sys; print('out'); print('err', file=sys.stderr)"))
        await node.phase("Succeeded")
        assert node.log() == "out\nerr\n"

    async def test_a_command_that_is_not_there_is_a_start_error(self, node: Node) -> None:
        node.create(a_pod("no-such-command"))
        await node.phase("Failed")
        terminated = node.container()["state"]["terminated"]
        assert (terminated["reason"], terminated["exitCode"]) == ("StartError", 128)
        assert "executable file not found in $PATH" in terminated["message"]


class TestDeletion:
    async def test_sigterm_comes_first_and_the_exit_code_is_told(self, node: Node) -> None:
        seen = node.store.subscribe(PODS)
        node.create(
            python(
                """
                import signal, sys, time
                signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("bye")))
                print("ready")
                time.sleep(1000)
                """
            )
        )
        await node.until(lambda: "ready" in node.log())
        node.store.delete(PODS, "default", "p")
        await node.gone()
        assert node.log() == "ready\nbye\n"
        assert node.said()[-1] == "Killing"
        last = [event async for event in _until_deleted(seen)][-1].object
        assert last["status"]["phase"] == "Succeeded"
        assert "deletionTimestamp" in last["metadata"]

    async def test_sigterm_before_there_is_a_command_is_not_lost(self) -> None:
        code = f"""
            import os, runpy, signal, sys
            spawn = os.posix_spawnp

            def slowly(*arguments, **options):
                os.kill(os.getpid(), signal.SIGTERM)
                return spawn(*arguments, **options)

            os.posix_spawnp = slowly
            sys.argv[1:] = ["sleep", "1000"]
            runpy.run_path({shim.__file__!r}, run_name="__main__")
            """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", textwrap.dedent(code), stdin=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(SECONDS):
            assert await process.wait() == 128 + signal.SIGTERM

    async def test_who_ignores_sigterm_is_killed_after_the_grace_period(self, node: Node) -> None:
        node.create(python(DEAF, grace=1))
        await node.until(lambda: "ready" in node.log())
        node.store.delete(PODS, "default", "p")
        await node.gone()

    async def test_a_second_deletion_shortens_the_grace_period(self, node: Node) -> None:
        node.create(python(DEAF, grace=1000))
        await node.until(lambda: "ready" in node.log())
        pid = int(node.log().split()[1])
        node.store.delete(PODS, "default", "p")
        await node.until(lambda: "Killing" in node.said())
        assert is_alive(pid)
        node.store.delete(PODS, "default", "p", grace_seconds=1)
        await node.gone()
        assert not is_alive(pid)

    async def test_a_forced_deletion_kills_at_once(self, node: Node) -> None:
        node.create(python(DEAF, grace=1000))
        await node.until(lambda: "ready" in node.log())
        pids = [int(pid) for pid in node.log().split()[1:]]
        node.store.delete(PODS, "default", "p", grace_seconds=0)
        assert node.pod() is None
        await node.until(lambda: not any(is_alive(pid) for pid in pids))

    async def test_nothing_that_a_pod_started_outlives_it(self, node: Node) -> None:
        node.create(
            python(
                """
                import subprocess, time
                child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
                print(child.pid)
                time.sleep(1000)
                """
            )
        )
        await node.until(lambda: node.log().endswith("\n"))
        pid = int(node.log())
        assert is_alive(pid)
        node.store.delete(PODS, "default", "p")
        await node.gone()
        assert not is_alive(pid)

    async def test_the_same_name_can_be_used_again_at_once(self, node: Node) -> None:
        for number in range(3):
            node.create(python(f"import time; print('run {number}'); time.sleep(1000)"))
            await node.until(lambda n=number: node.log() == f"run {n}\n")  # type: ignore[misc]
            await node.phase("Running")
            node.store.delete(PODS, "default", "p")
            await node.gone()

    async def test_a_pod_deleted_before_it_has_its_image_never_starts(self, node: Node) -> None:
        node.agent.image_pull_seconds = 1000
        node.create(python("print('started')"))
        await node.until(lambda: "Pulling" in node.said())
        assert node.waiting_for() == "ContainerCreating"
        node.store.delete(PODS, "default", "p")
        await node.gone()
        assert node.log() == ""
        assert "Started" not in node.said()

    async def test_a_pod_deleted_before_its_node_heard_of_it_never_starts(self, node: Node) -> None:
        node.create(a_pod("true", name="other"))  # so that the image is there
        await node.phase("Succeeded", "other")
        node.create(python("print('started')"))
        node.store.delete(PODS, "default", "p")
        await node.gone()
        assert "Started" not in node.said()

    @pytest.mark.parametrize(
        "pod",
        [
            pytest.param(a_pod("sleep", "1000"), id="of a process"),
            pytest.param(a_pod(), id="of a simulated pod"),
        ],
    )
    async def test_the_address_is_free_again(self, node: Node, pod: Object) -> None:
        addresses = []
        for _ in range(2):
            node.create(pod)
            await node.phase("Running")
            addresses.append(node.status()["podIP"])
            node.store.delete(PODS, "default", "p")
            await node.gone()
        assert addresses[0] == addresses[1]

    async def test_an_address_is_given_back_once(self, node: Node) -> None:
        node.create(a_pod("true", name="ended"))
        await node.phase("Succeeded", "ended")
        node.create(a_pod("sleep", "1000", name="next"))
        await node.phase("Running", "next")
        assert node.status("ended")["podIP"] == node.status("next")["podIP"]
        node.store.delete(PODS, "default", "ended")
        await node.gone("ended")
        node.create(a_pod("sleep", "1000", name="last"))
        await node.phase("Running", "last")
        assert node.status("next")["podIP"] != node.status("last")["podIP"]

    async def test_a_finalizer_keeps_the_object_after_the_process(self, node: Node) -> None:
        pod = python("import time; time.sleep(1000)")
        pod["metadata"]["finalizers"] = ["example.org/hold"]
        node.create(pod)
        await node.phase("Running")
        node.store.delete(PODS, "default", "p")
        await node.phase("Failed")
        assert node.pod() is not None
        node.store.patch(PODS, "default", "p", {"metadata": {"finalizers": None}})
        await node.gone()


DEAF = """
import os, signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
print("ready", os.getpid(), child.pid)
time.sleep(1000)
"""


async def _until_deleted(events: Any) -> AsyncIterator[Any]:
    async for event in events:
        yield event
        if event.type == "DELETED":
            return


class TestActiveDeadline:
    """`pkg/kubelet/active_deadline.go`; who waits for a GPU is told from it when one frees."""

    async def test_a_pod_past_its_deadline_has_failed_and_is_still_there(self, node: Node) -> None:
        node.create(with_deadline(python("import time; time.sleep(1000)"), 1000))
        await node.phase("Running")
        started_at = node.status()["startTime"]
        expire(node)
        await node.phase("Failed")
        status, container = node.status(), node.container()
        assert status["reason"] == "DeadlineExceeded"
        assert status["message"] == "Pod was active on the node longer than the specified deadline"
        assert status["startTime"] == started_at
        assert container["state"]["terminated"]["exitCode"] == 128 + signal.SIGTERM
        assert container["ready"] is False
        assert node.said()[-2:] == ["DeadlineExceeded", "Killing"]
        node.store.delete(PODS, "default", "p")
        await node.gone()

    async def test_the_phase_is_terminal_only_once_the_container_has_ended(
        self, node: Node
    ) -> None:
        node.create(with_deadline(python(DEAF, grace=1), 1000))
        await node.until(lambda: "ready" in node.log())
        pids = [int(pid) for pid in node.log().split()[1:]]
        expire(node)
        await node.until(lambda: "Killing" in node.said())
        assert node.status()["phase"] == "Running"
        assert "reason" not in node.status()
        await node.phase("Failed")
        assert not any(is_alive(pid) for pid in pids)

    async def test_one_that_ends_well_when_asked_has_failed_all_the_same(self, node: Node) -> None:
        node.create(with_deadline(a_pod(), 1000))
        await node.phase("Running")
        expire(node)
        await node.phase("Failed")
        assert node.container()["state"]["terminated"]["reason"] == "Completed"
        reasons = {c["type"]: c.get("reason") for c in node.status()["conditions"]}
        assert (reasons["Ready"], reasons["ContainersReady"]) == ("PodFailed", "PodFailed")
        assert node.status()["reason"] == "DeadlineExceeded"

    async def test_its_devices_and_address_are_free_while_it_is_still_there(
        self, node: Node
    ) -> None:
        for name in ("a", "b"):
            node.create(with_deadline(a_pod(name=name, requests={GPU: "2"}), 1000))
            await node.phase("Running", name)
            expire(node, name)
            await node.phase("Failed", name)
        assert node.status("a")["podIP"] == node.status("b")["podIP"]

    async def test_the_time_in_which_it_waits_for_its_image_counts(self, node: Node) -> None:
        node.agent.image_pull_seconds = 1000
        node.create(with_deadline(a_pod("sleep", "1000"), 1))
        await node.phase("Failed")
        assert node.status()["reason"] == "DeadlineExceeded"
        terminated = node.container()["state"]["terminated"]
        assert (terminated["reason"], terminated["exitCode"]) == ("ContainerStatusUnknown", 137)
        assert (
            node.container()["containerID" if "containerID" in node.container() else "imageID"]
            == ""
        )
        assert "Started" not in node.said()

    async def test_it_counts_from_the_start_time_that_the_pod_already_had(self, node: Node) -> None:
        pod = with_deadline(a_pod(), 60)
        del pod["spec"]["nodeName"]
        node.create(pod)
        long_ago = {"status": {"startTime": "2020-01-01T00:00:00Z"}}
        node.store.patch(PODS, "default", "p", long_ago, subresource="status")
        node.store.bind("default", "p", "worker")
        await node.phase("Failed")
        assert node.status()["startTime"] == "2020-01-01T00:00:00Z"

    async def test_a_pod_that_has_ended_does_not_exceed_its_deadline(self, node: Node) -> None:
        node.create(with_deadline(a_pod("true"), 1000))
        await node.phase("Succeeded")
        expire(node)
        node.create(with_deadline(a_pod(name="later"), 1))
        await node.phase("Failed", "later")
        assert node.status()["phase"] == "Succeeded"
        assert "DeadlineExceeded" not in node.said()

    async def test_a_deletion_ends_a_pod_that_is_past_its_deadline(self, node: Node) -> None:
        node.create(with_deadline(python(DEAF, grace=1000), 1000))
        await node.until(lambda: "ready" in node.log())
        expire(node)
        await node.until(lambda: "Killing" in node.said())
        node.store.delete(PODS, "default", "p", grace_seconds=1)
        await node.gone()


def with_deadline(pod: Object, seconds: int) -> Object:
    pod["spec"]["activeDeadlineSeconds"] = seconds
    return pod


def expire(node: Node, name: str = "p") -> None:
    """Shorten the deadline of a pod to a second, which has passed, or is about to."""
    node.store.patch(PODS, "default", name, {"spec": {"activeDeadlineSeconds": 1}})


class TestEvents:
    async def test_what_is_said_of_a_container_names_it(self, node: Node) -> None:
        node.create(with_deadline(a_pod("sleep", "1000"), 1000))
        await node.phase("Running")
        expire(node)
        await node.phase("Failed")
        paths = {
            event["reason"]: event["involvedObject"].get("fieldPath")
            for event in node.store.list(EVENTS, "default")[0]
        }
        assert paths == {
            "Pulling": "spec.containers{notebook}",
            "Pulled": "spec.containers{notebook}",
            "Created": "spec.containers{notebook}",
            "Started": "spec.containers{notebook}",
            "Killing": "spec.containers{notebook}",
            "DeadlineExceeded": None,
        }


class TestShutdown:
    async def test_it_kills_every_process_and_leaves_the_pods(self, tmp_path: Path) -> None:
        node = Node(tmp_path)
        async with node.running():
            for name in ("a", "b"):
                node.create(python(DEAF, name=name, grace=1000))
            await node.until(lambda: all("ready" in node.log(name) for name in ("a", "b")))
            pids = [int(pid) for name in ("a", "b") for pid in node.log(name).split()[1:]]
        assert not any(is_alive(pid) for pid in pids)
        assert node.status("a")["phase"] == "Running"

    async def test_pods_die_with_a_cluster_that_is_killed(self, tmp_path: Path) -> None:
        script = tmp_path / "parent.py"
        script.write_text(
            textwrap.dedent(
                f"""
                import asyncio
                from pathlib import Path
                from gpuspawner.simcluster.nodes.processes import Command, PodProcess

                async def main():
                    code = {DEAF!r}
                    log = Path("log")
                    env = {{"PATH": {os.environ["PATH"]!r}}}
                    command = Command([{sys.executable!r}, "-u", "-c", code], env, Path(), log)
                    process = await PodProcess.start(command)
                    await process.wait()

                asyncio.run(main())
                """
            )
        )
        log = tmp_path / "log"
        parent = await asyncio.create_subprocess_exec(sys.executable, script, cwd=tmp_path)
        await wait_until(lambda: log.exists() and log.read_text().endswith("\n"), SECONDS)
        pids = [int(pid) for pid in log.read_text().split()[1:]]
        assert all(is_alive(pid) for pid in pids)
        parent.kill()
        await parent.wait()
        await wait_until(lambda: not any(is_alive(pid) for pid in pids), SECONDS)


class TestSimulatedFailures:
    async def test_an_image_that_cannot_be_pulled(self, node: Node) -> None:
        node.create(a_pod("sleep", "1000", annotations={"simcluster/fail": "image"}))
        await node.until(lambda: node.waiting_for() == "ImagePullBackOff")
        assert node.status()["phase"] == "Pending"
        message = node.container()["state"]["waiting"]["message"]
        assert message.startswith(
            'Back-off pulling image "example.org/nowhere:1": ErrImagePull: rpc error'
        )
        assert message.endswith(": example.org/nowhere:1: not found")
        assert "Failed" in node.said()
        node.store.delete(PODS, "default", "p")
        await node.gone()

    async def test_a_kubelet_that_does_not_admit(self, node: Node) -> None:
        node.create(a_pod("sleep", "1000", annotations={"simcluster/fail": "admission"}))
        await node.phase("Failed")
        assert node.status()["reason"] == "UnexpectedAdmissionError"
        assert node.status()["message"].startswith("Pod was rejected: Allocate failed due to ")
        assert node.said() == ["UnexpectedAdmissionError"]

    async def test_a_container_that_exits(self, node: Node) -> None:
        node.create(a_pod("sleep", "1000", annotations={"simcluster/fail": "exit"}))
        await node.phase("Failed")
        assert node.container()["state"]["terminated"]["exitCode"] == 1

    async def test_a_container_that_ends_again_and_again(self, node: Node) -> None:
        node.create(a_pod("sleep", "1000", annotations={"simcluster/fail": "crash-loop"}))
        await node.until(lambda: node.waiting_for() == "CrashLoopBackOff")
        container = node.container()
        assert node.status()["phase"] == "Running"
        assert (container["restartCount"], container["ready"]) == (1, False)
        assert container["lastState"]["terminated"]["exitCode"] == 1
        node.store.delete(PODS, "default", "p")
        await node.gone()


class TestWhatAPodRefersTo:
    """Secrets and ConfigMaps; a kubelet waits for them."""

    async def test_an_environment_waits_for_a_secret(
        self, node: Node, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pod_worker, "RESYNC_SECONDS", 0.05)
        source = {"secretKeyRef": {"name": "s", "key": "k"}}
        node.create(a_pod("sleep", "1000", env=[{"name": "X", "valueFrom": source}]))
        await node.until(lambda: node.waiting_for() == "CreateContainerConfigError")
        assert node.container()["state"]["waiting"]["message"] == 'secret "s" not found'
        node.store.create(SECRETS, "default", {"metadata": {"name": "s"}, "data": {"k": "eA=="}})
        await node.phase("Running")

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            pytest.param({"configMap": {"name": "c"}}, 'configmap "c" not found', id="configmap"),
            pytest.param({"secret": {"secretName": "c"}}, 'secret "c" not found', id="secret"),
        ],
    )
    async def test_a_volume_waits_for_its_content(
        self, node: Node, source: Object, words: str
    ) -> None:
        pod = a_pod()
        pod["spec"]["volumes"] = [{"name": "v", **source}]
        node.create(pod)
        await node.until(lambda: "FailedMount" in node.said())
        (event,) = node.store.list(EVENTS, "default")[0]
        assert event["message"] == f'MountVolume.SetUp failed for volume "v" : {words}'
        assert node.waiting_for() == "ContainerCreating"
        assert self.has_sandbox(node) == "False"
        resource = SECRETS if "secret" in source else CONFIGMAPS
        node.store.create(resource, "default", {"metadata": {"name": "c"}})
        await node.phase("Running")
        assert self.has_sandbox(node) == "True"

    @staticmethod
    def has_sandbox(node: Node) -> str:
        conditions = {each["type"]: each["status"] for each in node.status()["conditions"]}
        return str(conditions["PodReadyToStartContainers"])

    async def test_a_volume_does_not_wait_for_what_is_optional(self, node: Node) -> None:
        pod = a_pod()
        pod["spec"]["volumes"] = [{"name": "v", "configMap": {"name": "c", "optional": True}}]
        node.create(pod)
        await node.phase("Running")
        assert "FailedMount" not in node.said()

    async def test_a_pod_that_waits_can_be_deleted(self, node: Node) -> None:
        pod = a_pod()
        pod["spec"]["volumes"] = [{"name": "v", "configMap": {"name": "c"}}]
        node.create(pod)
        await node.until(lambda: "FailedMount" in node.said())
        node.store.delete(PODS, "default", "p")
        await node.gone()


class TestSimulatedPods:
    @pytest.mark.parametrize(
        "pod",
        [
            pytest.param(
                a_pod("no-such-command", annotations={"simcluster/simulated": "true"}),
                id="one that says so",
            ),
            pytest.param(a_pod(), id="one that leaves the command to its image"),
        ],
    )
    async def test_they_are_only_marked_as_running(self, node: Node, pod: Object) -> None:
        node.create(pod)
        await node.phase("Running")
        assert node.container()["ready"] is True
        assert node.status()["podIP"] == "10.42.0.2"
        node.store.delete(PODS, "default", "p")
        await node.gone()
        assert node.log() == ""

    async def test_pods_of_other_nodes_are_left_alone(self, node: Node) -> None:
        pod = a_pod()
        pod["spec"]["nodeName"] = "elsewhere"
        node.create(pod)
        node.create(a_pod(name="mine"))
        await node.phase("Running", "mine")
        assert node.status()["phase"] == "Pending"


class TestDevices:
    async def test_pods_see_devices_that_no_other_pod_sees(self, node: Node) -> None:
        code = "import os, time; print(os.environ['NVIDIA_VISIBLE_DEVICES']); time.sleep(1000)"
        for name, resource in (("a", GPU), ("b", GPU), ("c", MIG)):
            node.create(python(code, name=name, requests={resource: "1"}))
            await node.until(lambda name=name: node.log(name).endswith("\n"))  # type: ignore[misc]
        a, b, c = (node.log(name).strip() for name in ("a", "b", "c"))
        assert a.startswith("GPU-")
        assert b.startswith("GPU-")
        assert a != b
        assert c.startswith("MIG-")

    async def test_a_pod_without_devices_sees_none(self, node: Node) -> None:
        node.create(python("import os; print('NVIDIA_VISIBLE_DEVICES' in os.environ)"))
        await node.phase("Succeeded")
        assert node.log() == "False\n"

    async def test_a_pod_that_finds_no_device_left_is_not_admitted(self, node: Node) -> None:
        node.create(a_pod(name="holder", requests={GPU: "2"}))
        await node.phase("Running", "holder")
        node.create(a_pod(requests={GPU: "1"}))
        await node.phase("Failed")
        assert "Requested: 1, Available: 0" in node.status()["message"]

    @pytest.mark.parametrize("end", ["deleted", "finished"])
    async def test_devices_are_free_again(self, node: Node, end: str) -> None:
        code = "" if end == "finished" else "import time; time.sleep(1000)"
        node.create(python(code, name="holder", requests={GPU: "2"}))
        if end == "finished":
            await node.phase("Succeeded", "holder")
        else:
            await node.phase("Running", "holder")
            node.store.delete(PODS, "default", "holder")
            await node.gone("holder")
        node.create(a_pod(requests={GPU: "2"}))
        await node.phase("Running")

    def test_nothing_is_held_when_there_is_not_enough_of_all(self) -> None:
        devices = DeviceManager("worker", {GPU: 2, MIG: 1})
        with pytest.raises(DeviceError, match="Requested: 2, Available: 1"):
            devices.allocate("a", {GPU: 1, MIG: 2})
        assert len(devices.allocate("b", {GPU: 2})[GPU]) == 2

    def test_ids_differ_between_nodes_and_not_between_runs(self) -> None:
        def first(node: str) -> str:
            return DeviceManager(node, {GPU: 1}).allocate("pod", {GPU: 1})[GPU][0]

        assert first("one") == first("one") != first("two")


class TestHome:
    CODE = """
    import os, pathlib
    print(os.environ["HOME"] == os.getcwd(), pathlib.Path("mark").exists())
    pathlib.Path("mark").touch()
    """

    @pytest.mark.parametrize(
        ("first", "second", "is_kept"),
        [
            pytest.param({"name": "a"}, {"name": "a"}, True, id="the same pod again"),
            pytest.param({"name": "a"}, {"name": "b"}, False, id="another pod"),
            pytest.param(
                {"name": "a", "claim": "c"},
                {"name": "b", "claim": "c"},
                True,
                id="another pod with the same claim",
            ),
            pytest.param(
                {"name": "a", "claim": "c"},
                {"name": "a", "claim": "d"},
                False,
                id="the same pod with another claim",
            ),
        ],
    )
    async def test_who_finds_a_home_again(
        self, node: Node, first: dict[str, str], second: dict[str, str], *, is_kept: bool
    ) -> None:
        for pod, expected in ((first, False), (second, is_kept)):
            node.create(python(self.CODE, **pod))
            await node.phase("Succeeded", pod["name"])
            assert node.log(pod["name"]) == f"True {expected}\n"
            node.store.delete(PODS, "default", pod["name"])
            await node.gone(pod["name"])


class TestEnvironment:
    PLACEMENT = Placement("worker", "10.0.0.10", "127.1.0.3")

    def environment(self, *env: Mapping[str, Any]) -> dict[str, str]:
        pod = a_pod("x", env=env)
        pod["metadata"] |= {"namespace": "lab", "uid": "u-1", "labels": {"team": "blue"}}
        node_env = {"PATH": "/bin", "HOME": "/tmp/home"}
        return containers.environment(pod, self.PLACEMENT, self.look_up, node_env=node_env)

    @staticmethod
    def look_up(kind: str, name: str, key: str) -> str | None:
        known = {("secret", "s"): {"k": "hidden"}, ("configmap", "c"): {"k": "plain"}}
        if (kind, name) not in known:
            raise MissingObjectError(kind, name)
        return known[kind, name].get(key)

    @pytest.mark.parametrize(
        ("source", "value"),
        [
            pytest.param({"fieldRef": {"fieldPath": "metadata.name"}}, "p", id="the pod's name"),
            pytest.param(
                {"fieldRef": {"fieldPath": "metadata.namespace"}}, "lab", id="its namespace"
            ),
            pytest.param({"fieldRef": {"fieldPath": "status.podIP"}}, "127.1.0.3", id="its IP"),
            pytest.param({"fieldRef": {"fieldPath": "spec.nodeName"}}, "worker", id="its node"),
            pytest.param(
                {"fieldRef": {"fieldPath": "metadata.labels['team']"}}, "blue", id="a label"
            ),
            pytest.param({"secretKeyRef": {"name": "s", "key": "k"}}, "hidden", id="a secret"),
            pytest.param({"configMapKeyRef": {"name": "c", "key": "k"}}, "plain", id="a configmap"),
        ],
    )
    def test_values_from_elsewhere(self, source: Mapping[str, Any], value: str) -> None:
        assert self.environment({"name": "X", "valueFrom": source})["X"] == value

    @pytest.mark.parametrize(
        ("kind", "name", "words"),
        [
            pytest.param("secretKeyRef", "none", 'secret "none" not found', id="no secret"),
            pytest.param(
                "secretKeyRef", "s", "couldn't find key x in Secret lab/s", id="a secret without it"
            ),
            pytest.param("configMapKeyRef", "none", 'configmap "none" not found', id="no map"),
            pytest.param(
                "configMapKeyRef", "c", "couldn't find key x in ConfigMap lab/c", id="a map without"
            ),
        ],
    )
    def test_what_is_not_there_is_an_error_unless_it_is_optional(
        self, kind: str, name: str, words: str
    ) -> None:
        reference = {"name": name, "key": "x"}
        with pytest.raises(ContainerConfigError, match=words):
            self.environment({"name": "X", "valueFrom": {kind: reference}})
        optional = reference | {"optional": True}
        assert "X" not in self.environment({"name": "X", "valueFrom": {kind: optional}})

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            pytest.param("$(A)-$(B)", "a-$(B)", id="an unknown reference stays"),
            pytest.param("$$(A)", "$(A)", id="two dollars escape"),
            pytest.param("$A ${A}", "$A ${A}", id="a shell's references are not the kubelet's"),
        ],
    )
    def test_references_to_variables_before(self, text: str, value: str) -> None:
        env = self.environment({"name": "A", "value": "a"}, {"name": "X", "value": text})
        assert env["X"] == value

    def test_path_and_home_are_the_nodes(self) -> None:
        env = self.environment(
            {"name": "PATH", "value": "/opt/conda/bin"}, {"name": "HOME", "value": "/home/jovyan"}
        )
        assert (env["PATH"], env["HOME"], env["LANG"]) == ("/bin", "/tmp/home", "C.UTF-8")

    def test_nothing_else_of_this_process_gets_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "the hub's own")
        assert set(self.environment()) == {"PATH", "HOME", "LANG", "HOSTNAME"}

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            pytest.param(
                "http://0.0.0.0:8888/user/a%20b/?x=1",
                "http://127.1.0.3:8888/user/a%20b/?x=1",
                id="every address",
            ),
            pytest.param("http://:8888/", "http://127.1.0.3:8888/", id="no address"),
            pytest.param("http://[::]:8888/", "http://127.1.0.3:8888/", id="every IPv6 address"),
            pytest.param("http://10.1.2.3:8888/", "http://10.1.2.3:8888/", id="one address"),
        ],
    )
    def test_a_server_is_told_to_listen_at_its_pods_address(self, url: str, expected: str) -> None:
        env = self.environment({"name": "JUPYTERHUB_SERVICE_URL", "value": url})
        assert env["JUPYTERHUB_SERVICE_URL"] == expected

    @pytest.mark.parametrize(
        ("words", "as_root", "expected"),
        [
            pytest.param(
                ["x", "--ip=0.0.0.0", "--bind", "0.0.0.0"],
                False,
                ["x", "--ip=127.1.0.3", "--bind", "127.1.0.3"],
                id="every address becomes the pod's",
            ),
            pytest.param(
                ["x", "10.0.0.0.0"], False, ["x", "10.0.0.0.0"], id="nothing else is touched"
            ),
            pytest.param(["x", "$(A)"], False, ["x", "a"], id="references are expanded"),
            pytest.param(
                ["/bin/jupyterhub-singleuser"],
                True,
                ["/bin/jupyterhub-singleuser", "--allow-root"],
                id="root must be allowed",
            ),
            pytest.param(
                ["jupyterhub-singleuser"], False, ["jupyterhub-singleuser"], id="others need not"
            ),
            pytest.param(["sleep", "1"], True, ["sleep", "1"], id="other commands neither"),
        ],
    )
    def test_the_command_line(
        self, words: Sequence[str], expected: Sequence[str], *, as_root: bool
    ) -> None:
        argv = containers.arguments(a_pod(*words), {"A": "a"}, "127.1.0.3", as_root=as_root)
        assert argv == expected

    async def test_keys_come_from_the_pods_own_namespace(self, node: Node) -> None:
        node.store.create(
            SECRETS, "default", {"metadata": {"name": "s"}, "stringData": {"k": "hidden"}}
        )
        node.store.create(
            CONFIGMAPS, "default", {"metadata": {"name": "c"}, "data": {"k": "plain"}}
        )
        env = [
            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        ]
        node.create(python("import os; print(os.environ['S'], os.environ['C'])", env=env))
        await node.phase("Succeeded")
        assert node.log() == "hidden plain\n"

    async def test_a_missing_secret_holds_the_container_back(self, node: Node) -> None:
        missing = {"secretKeyRef": {"name": "none", "key": "k"}}
        node.create(a_pod("sleep", "1000", env=[{"name": "X", "valueFrom": missing}]))
        await node.until(lambda: node.waiting_for() == "CreateContainerConfigError")
        node.store.delete(PODS, "default", "p")
        await node.gone()


class TestAddresses:
    def test_two_clusters_on_one_machine_do_not_share_an_address(self) -> None:
        one, other = LoopbackAddresses(FIRST_ADDRESS), LoopbackAddresses(FIRST_ADDRESS)
        taken = [owner.reserve() for owner in (one, other, one, other)]
        assert len(set(taken)) == 4
        one.close()
        other.close()

    def test_an_address_where_something_listens_is_passed_over(self) -> None:
        addresses = LoopbackAddresses(FIRST_ADDRESS)
        free = addresses.reserve([8888])
        addresses.release(free)
        with socket.create_server((free, 8888)):
            assert addresses.reserve([8888]) != free
        addresses.close()

    def test_a_released_address_is_reserved_again(self) -> None:
        addresses = LoopbackAddresses(FIRST_ADDRESS)
        first = addresses.reserve()
        addresses.release(first)
        assert addresses.reserve() == first
        addresses.close()

    def test_a_subnet_has_an_end(self) -> None:
        subnet = PodSubnet(IPv4Network("10.42.0.0/30"))
        assert subnet.reserve() == "10.42.0.2"
        with pytest.raises(AddressError, match="no IP addresses available"):
            subnet.reserve()
        subnet.release("10.42.0.2")
        assert subnet.reserve() == "10.42.0.2"
