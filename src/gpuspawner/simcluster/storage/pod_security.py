"""Pod Security admission: what the standards ``baseline`` and ``restricted`` refuse.

The level is the namespace's label ``pod-security.kubernetes.io/enforce``, as in a real cluster. Of
the standards' checks those are here that a notebook's pod can run into; host ports, AppArmor,
SELinux, ``procMount``, sysctls and Windows are not looked at.

What is no level is refused when a namespace is written. In one that has it all the same, the pods
are held to ``restricted`` (``ParseLevel`` in k8s.io/pod-security-admission's ``api/helpers.go``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apimachinery.status import forbidden

ENFORCE = "pod-security.kubernetes.io/enforce"
_MODES = (ENFORCE, "pod-security.kubernetes.io/audit", "pod-security.kubernetes.io/warn")
_VERSION = re.compile(r"latest|v1\.(0|[1-9][0-9]*)")

_BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_RESTRICTED_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_SECCOMP = ("RuntimeDefault", "Localhost")

Violations = Iterator[tuple[str, str]]
"""What is wrong, and where: both in the admission plugin's words."""


def check_pod_security(pod: Object, containers: Iterable[Object], labels: dict[str, str]) -> None:
    """Raise ApiError 403 if the level that a namespace enforces does not let a pod in.

    Args:
        pod: the pod, with all defaults filled in.
        containers: all of its containers.
        labels: those of its namespace.
    """
    level = labels.get(ENFORCE, "privileged")
    level = level if level in _CHECKS else "restricted"
    every = list(containers)
    found = [f"{what} ({detail})" for check in _CHECKS[level] for what, detail in check(pod, every)]
    if found:
        why = f'violates PodSecurity "{level}:latest": {", ".join(found)}'
        raise forbidden(PODS, pod["metadata"]["name"], why)


def level_problems(labels: dict[str, str]) -> list[tuple[str, str, str]]:
    """What is wrong with a namespace's labels, as the causes of a Status object.

    Args:
        labels: those of the namespace.
    """
    problems: list[tuple[str, str, str]] = []
    for mode in _MODES:
        level, version = labels.get(mode, "privileged"), labels.get(f"{mode}-version", "latest")
        if level not in _CHECKS:
            problems.append(_invalid(mode, level, f"must be one of {', '.join(_CHECKS)}"))
        if not _VERSION.fullmatch(version):
            words = 'must be "latest" or "v1.x"'
            problems.append(_invalid(f"{mode}-version", version, words))
    return problems


def _invalid(label: str, value: str, words: str) -> tuple[str, str, str]:
    field = f"metadata.labels[{label}]"
    return field, "FieldValueInvalid", f'Invalid value: "{value}": {words}'


def _host_namespaces(pod: Object, _: list[Object]) -> Violations:
    names = ("hostNetwork", "hostPID", "hostIPC")
    if used := [f"{name}=true" for name in names if pod["spec"].get(name)]:
        yield "host namespaces", ", ".join(used)


def _privileged(_: Object, containers: list[Object]) -> Violations:
    if bad := [each for each in containers if _context(each).get("privileged")]:
        yield "privileged", f"{_named(bad)} must not set securityContext.privileged=true"


def _host_paths(pod: Object, _: list[Object]) -> Violations:
    volumes = pod["spec"].get("volumes") or ()
    if bad := [each for each in volumes if each.get("hostPath") is not None]:
        yield "hostPath volumes", _named(bad, "volume")


def _default_capabilities(_: Object, containers: list[Object]) -> Violations:
    if bad := [each for each in containers if _added(each) - _BASELINE_CAPABILITIES]:
        kinds = set().union(*map(_added, bad)) - _BASELINE_CAPABILITIES
        where = "securityContext.capabilities.add"
        yield (
            "non-default capabilities",
            f"{_named(bad)} must not include {_quoted(kinds)} in {where}",
        )


def _no_escalation(_: Object, containers: list[Object]) -> Violations:
    key = "allowPrivilegeEscalation"
    if bad := [each for each in containers if _context(each).get(key) is not False]:
        yield f"{key} != false", f"{_named(bad)} must set securityContext.{key}=false"


def _no_capabilities(_: Object, containers: list[Object]) -> Violations:
    details = []
    if keeping := [each for each in containers if "ALL" not in _capabilities(each, "drop")]:
        details.append(f'{_named(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding := [each for each in containers if _added(each) - {"NET_BIND_SERVICE"}]:
        kinds = set().union(*map(_added, adding)) - {"NET_BIND_SERVICE"}
        where = "securityContext.capabilities.add"
        details.append(f"{_named(adding)} must not include {_quoted(kinds)} in {where}")
    if details:
        yield "unrestricted capabilities", "; ".join(details)


def _few_volumes(pod: Object, _: list[Object]) -> Violations:
    bad: dict[str, list[Object]] = {}
    for volume in pod["spec"].get("volumes") or ():
        kind = next((key for key in volume if key != "name"), "")
        if kind not in _RESTRICTED_VOLUMES:
            bad.setdefault(kind, []).append(volume)
    if bad:
        words = (
            f"{_named(volumes, 'volume')} {'use' if len(volumes) > 1 else 'uses'} "
            f'restricted volume type "{kind}"'
            for kind, volumes in sorted(bad.items())
        )
        yield "restricted volume types", ", ".join(words)


def _no_root(pod: Object, containers: list[Object]) -> Violations:
    own = _context(pod["spec"]).get("runAsNonRoot")
    said = ["pod"] if own is False else []
    if bad := [each for each in containers if _context(each).get("runAsNonRoot") is False]:
        said.append(_named(bad))
    silent = [each for each in containers if _context(each).get("runAsNonRoot") is None]
    if said:
        words = f"{' and '.join(said)} must not set securityContext.runAsNonRoot=false"
        yield "runAsNonRoot != true", words
    elif not own and silent:
        words = f"pod or {_named(silent)} must set securityContext.runAsNonRoot=true"
        yield "runAsNonRoot != true", words


def _no_user_zero(pod: Object, containers: list[Object]) -> Violations:
    said = ["pod"] if _context(pod["spec"]).get("runAsUser") == 0 else []
    if bad := [each for each in containers if _context(each).get("runAsUser") == 0]:
        said.append(_named(bad))
    if said:
        yield "runAsUser=0", f"{' and '.join(said)} must not set runAsUser=0"


def _seccomp(pod: Object, containers: list[Object]) -> Violations:
    own = _profile(pod["spec"])
    kinds = " or ".join(f'"{kind}"' for kind in _SECCOMP)
    bad = [each for each in containers if (_profile(each) or own) not in _SECCOMP]
    if bad:
        words = f"pod or {_named(bad)} must set securityContext.seccompProfile.type to {kinds}"
        yield "seccompProfile", words


Check = Callable[[Object, list[Object]], Violations]
_BOTH: tuple[Check, ...] = (_host_namespaces, _privileged)
_CHECKS: dict[str, tuple[Check, ...]] = {
    "privileged": (),
    "baseline": (*_BOTH, _host_paths, _default_capabilities),
    "restricted": (
        *_BOTH,
        _no_escalation,
        _no_capabilities,
        _few_volumes,
        _no_root,
        _no_user_zero,
        _seccomp,
    ),
}


def _context(of: Object) -> dict[str, Any]:
    return of.get("securityContext") or {}


def _profile(of: Object) -> str | None:
    profile: dict[str, str] = _context(of).get("seccompProfile") or {}
    return profile.get("type")


def _capabilities(container: Object, change: str) -> set[str]:
    return set((_context(container).get("capabilities") or {}).get(change) or ())


def _added(container: Object) -> set[str]:
    return _capabilities(container, "add")


def _named(things: list[Object], kind: str = "container") -> str:
    plural = "s" if len(things) > 1 else ""
    return f"{kind}{plural} {_quoted(each['name'] for each in things)}"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names))
