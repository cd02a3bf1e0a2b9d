"""The pod that the API server would make of a manifest, or why it would not: a dry run.

A pod is created with ``dryRun=All``, which runs every admission step (LimitRange, RuntimeClass,
PriorityClass, quota, webhooks) and stores nothing. What admission changed is remembered for a
short while, so that a form costs one request for each profile and not one for each person.

The pod is the one that KubeSpawner will make only as far as scheduling looks at it. So no refusal
is believed but those that are of amounts; others may not befall the pod itself, and are `NotKnown`.
Nothing that the API server does raises here: what it did not say is `NotKnown`, too.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from gpuspawner.capacity.backoff import Clock, parse_retry_after
from gpuspawner.capacity.dry_run import (
    Admission,
    Admitted,
    Answer,
    Change,
    NotKnown,
    Refused,
    read_change,
    read_refusal,
    without_name,
)
from gpuspawner.capacity.model import PodRequest, read_request
from gpuspawner.capacity.transport import Response, Transport, TransportError

log = logging.getLogger(__name__)

CREATED = 201
_OF_THE_POD = frozenset({400, 403, 422})
"""The statuses that can be a word on the pod."""

_OF_THE_SERVER = frozenset({429, 503})
"""The statuses after which no other pod is asked about for a while."""


@dataclass(frozen=True, slots=True)
class AdmissionTiming:
    """How long to wait and to remember, in seconds.

    Attributes:
        answer: how long a dry run may take.
        admitted: for how long a pod counts as admitted; a quota can be used up in the meantime.
        quota: the same for a quota that is used up, which is freed when a server stops.
        refused: the same for other refusals, which last until somebody changes a configuration.
        not_known: the same for no verdict. Longer than `silence`: a pod that no answer comes for
            must not keep the others from being asked about.
        silence: for how long nothing is asked after the API server failed to answer.
        retry_cap: the longest Retry-After that is honoured.
        entries: how many answers are remembered.
        requests: of how many pods it is remembered what an answer makes of them.
    """

    answer: float = 2.0
    admitted: float = 60.0
    quota: float = 3.0
    refused: float = 30.0
    not_known: float = 15.0
    silence: float = 5.0
    retry_cap: float = 60.0
    entries: int = 256
    requests: int = 2048


_Place: TypeAlias = tuple[str, Hashable]


class AdmissionCheck:
    """Asks what becomes of a pod.

    Args:
        transport: the way to the API server.
        clock: seconds that never go backwards.
        timing: how long to wait and to remember.
    """

    def __init__(
        self, transport: Transport, *, clock: Clock, timing: AdmissionTiming | None = None
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._timing = timing or AdmissionTiming()
        self._answers: OrderedDict[_Place, tuple[float, Answer]] = OrderedDict()
        self._done: OrderedDict[int, tuple[Change, PodRequest, Admitted]] = OrderedDict()
        self._asking: dict[_Place, asyncio.Task[Answer]] = {}
        self._silent_until = 0.0
        self._silence = NotKnown("")

    async def admit(
        self,
        manifest: Mapping[str, Any],
        namespace: str,
        *,
        key: Hashable,
        request: PodRequest | None = None,
    ) -> Admission:
        """What the API server would make of the pod `manifest` in `namespace`.

        Args:
            manifest: a pod in JSON. Its name is not used, so that a pod of that name may exist.
            namespace: where it would be created.
            key: what stands for the manifest in the memory. Pods with the same key may differ in
                nothing that admission looks at, but in the person: name, labels, claims, env.
            request: what is known of the pod already; by default what the manifest says.

        Raises:
            MalformedObjectError: the manifest is not a pod.
        """
        if request is None:
            request = dataclasses.replace(read_request(manifest), namespace=namespace)
        answer = await self._answer(manifest, namespace, key)
        return self._applied(answer, request) if isinstance(answer, Change) else answer

    def remembered(self, request: PodRequest, namespace: str, key: Hashable) -> Admission | None:
        """The answer of `admit`, if nobody has to be asked for it."""
        answer = self._known((namespace, key))
        return self._applied(answer, request) if isinstance(answer, Change) else answer

    def _applied(self, change: Change, request: PodRequest) -> Admitted:
        """The same object for the same request, by which its verdict is known."""
        known = self._done.get(id(request))
        if known is None or known[0] is not change or known[1] is not request:
            known = self._done[id(request)] = (change, request, change.of(request))
            if len(self._done) > self._timing.requests:
                self._done.popitem(last=False)
        return known[2]

    async def aclose(self) -> None:
        """Give up what is being asked."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _known(self, place: _Place) -> Answer | None:
        now = self._clock()
        until, known = self._answers.get(place, (now, None))
        if known is not None and now < until:
            self._answers.move_to_end(place)
            return known
        return self._silence if now < self._silent_until else None

    async def _answer(self, manifest: Mapping[str, Any], namespace: str, key: Hashable) -> Answer:
        place = (namespace, key)
        known = self._known(place)
        if known is not None:
            return known
        task = self._asking.get(place)
        if task is None:
            task = self._asking[place] = asyncio.create_task(self._ask(manifest, place))
            task.add_done_callback(lambda _: self._asking.pop(place))
        # Shielded, since others may be waiting for the same answer.
        return await asyncio.shield(task)

    async def _ask(self, manifest: Mapping[str, Any], place: _Place) -> Answer:
        timing = self._timing
        try:
            async with (
                asyncio.timeout(timing.answer),
                self._transport.post(
                    f"/api/v1/namespaces/{place[0]}/pods",
                    {"dryRun": "All"},
                    without_name(manifest),
                    answer_within=timing.answer,
                    silence=timing.answer,
                ) as response,
            ):
                body = await response.body()
        except TimeoutError:
            return self._be_silent(place, f"no answer within {timing.answer:g} s")
        except TransportError as error:
            return self._be_silent(place, str(error))
        if response.status in _OF_THE_SERVER:
            return self._be_silent(place, f"HTTP {response.status}", _retry_after(response))
        if response.status == CREATED:
            return self._remember(place, read_change(manifest, body))
        if response.status in _OF_THE_POD:
            return self._remember(place, read_refusal(body), manifest)
        return self._remember(place, NotKnown(f"HTTP {response.status}"))

    def _be_silent(self, place: _Place, why: str, asked: float = 0.0) -> Answer:
        """Ask nothing for a while: a form that asks for ten profiles waits once."""
        delay = max(self._timing.silence, min(asked, self._timing.retry_cap))
        self._silent_until = self._clock() + delay
        self._silence = NotKnown(why)
        return self._remember(place, self._silence)

    def _remember(
        self, place: _Place, answer: Answer, manifest: Mapping[str, Any] | None = None
    ) -> Answer:
        """Keep an answer for a while, and log those to the pod `manifest` that are news."""
        _, last = self._answers.get(place, (0.0, None))
        if answer == last:
            answer = last
        elif manifest is not None:
            _log_refusal(manifest, answer)
        match answer:
            case Change():
                lifetime = self._timing.admitted
            case Refused(denial):
                lifetime = self._timing.quota if denial.quota else self._timing.refused
            case NotKnown():
                lifetime = self._timing.not_known
        self._answers[place] = (self._clock() + lifetime, answer)
        self._answers.move_to_end(place)
        while len(self._answers) > self._timing.entries:
            self._answers.popitem(last=False)
        return answer


def _log_refusal(manifest: Mapping[str, Any], answer: Answer) -> None:
    labels = manifest["metadata"].get("labels")
    match answer:
        case Refused(detail=detail):
            log.info("a pod with the labels %s would not be admitted: %s", labels, detail)
        case NotKnown(detail=detail) if detail:
            words = "the dry run of a pod with the labels %s was refused, starts are tried: %s"
            log.warning(words, labels, detail)


def _retry_after(response: Response) -> float:
    headers = response.headers
    return parse_retry_after(headers.get("Retry-After"), date=headers.get("Date")) or 0.0


__all__ = [
    "Admission",
    "AdmissionCheck",
    "AdmissionTiming",
    "Admitted",
    "NotKnown",
    "Refused",
]
