"""The kinds of text in a catalog, as types whose values have been checked.

The rules are Kubernetes' own (``k8s.io/apimachinery/pkg/util/validation`` and
``k8s.io/kubernetes/pkg/apis/core/validation``) unless a type says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import AfterValidator

from gpuspawner.catalog.problems import Finding, RefusedError, bare, refuse, shown, sound
from gpuspawner.catalog.templates import expanded_example, template_fault

_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_QUALIFIED_PART = re.compile(r"[A-Za-z0-9](?:[-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_IMAGE = re.compile(
    r"(?:(?:[A-Za-z0-9-]+\.)*[A-Za-z0-9-]+(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+:[0-9a-f]{32,})?"
)
_LONGEST_NAME: Final = 253
_LONGEST_IMAGE: Final = 512
_NATIVE: Final = ("cpu", "memory", "ephemeral-storage", "pods", "storage")


def is_dns_label(text: str) -> bool:
    """RFC 1123: lower case letters, digits and ``-``, at most 63, not ``-`` at an end."""
    return _DNS_LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """DNS labels joined by dots, at most 253 characters in all."""
    return len(text) <= _LONGEST_NAME and _DNS_SUBDOMAIN.fullmatch(text) is not None


def is_qualified_name(text: str) -> bool:
    """A label key: ``name`` or ``prefix/name``, the prefix a DNS subdomain."""
    prefix, slash, name = text.rpartition("/")
    return bool(_QUALIFIED_PART.fullmatch(name)) and (not slash or is_dns_subdomain(prefix))


def is_extended_resource(name: str) -> bool:
    """Whether pods ask for it by ``domain/name``, outside Kubernetes' own domain."""
    domain, slash, _ = name.rpartition("/")
    native = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    return bool(slash) and not native and is_qualified_name(name)


def is_slug(text: str) -> bool:
    """A DNS label without ``--``, at which KubeSpawner's form splits profile from option."""
    return is_dns_label(text) and "--" not in text


def slugified(text: str) -> str:
    """The nearest slug to a text, possibly empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:63].strip("-")


def _said(text: str) -> str:
    if not text.strip():
        raise refuse("is empty", "write some text, or leave the field out")
    return text


def _slug(text: str) -> str:
    if is_slug(text):
        return text
    suggestion = slugified(text)
    raise refuse(
        f"{shown(text)} is not a slug (lower case letters, digits and single '-', at most 63)",
        f"perhaps {suggestion!r}" if suggestion else None,
    )


def _object_name(text: str) -> str:
    if is_dns_subdomain(text):
        return text
    raise refuse(f"{shown(text)} is not a Kubernetes name (lower case letters, digits, '-', '.')")


def _name_template(text: str) -> str:
    _refuse_fault(text, is_path=True)
    _object_name(expanded_example(text))
    return text


def _template(text: str) -> str:
    _refuse_fault(text, is_path=False)
    return text


def _refuse_fault(text: str, *, is_path: bool) -> None:
    fault = template_fault(text, is_path=is_path)
    if fault is not None:
        raise RefusedError([fault])


def _path(text: str) -> str:
    _said(text)
    _refuse_fault(text, is_path=True)
    if ".." in text.split("/"):
        raise refuse(f"the path {shown(text)} contains '..'", "write the path it leads to")
    return text


def _absolute_path(text: str) -> str:
    if not _path(text).startswith("/"):
        raise refuse(f"the path {shown(text)} is not absolute", f"perhaps {shown('/' + text)}")
    return text


def _mount_path(text: str) -> str:
    if not _absolute_path(text).strip("/"):
        raise refuse("a volume over '/' would hide the whole image", "mount it below")
    if ":" in text:
        raise refuse(f"Kubernetes takes no ':' in the mount path {shown(text)}")
    return text


def _relative_path(text: str) -> str:
    if _path(text).startswith("/"):
        raise refuse(
            f"the path {shown(text)} must be relative to the volume",
            f"perhaps {shown(text.lstrip('/'))}" if text.strip("/") else None,
        )
    return text


def _image(text: str) -> str:
    if len(text) <= _LONGEST_IMAGE and _IMAGE.fullmatch(text):
        return text
    raise refuse(
        f"{shown(text)} is not an image reference",
        "write [registry/]repository[:tag][@digest], the repository in lower case",
    )


def _resource(text: str) -> str:
    if text in _NATIVE or text.startswith("hugepages-"):
        raise refuse(
            f"{bare(text)} is no accelerator", "ask for it in the profile's cpu and memory"
        )
    if is_extended_resource(text):
        return text
    raise refuse(
        f"{shown(text)} is not the name of an extended resource",
        "write domain/name as the device plugin advertises it, such as nvidia.com/gpu",
    )


def _label_pairs(pairs: dict[str, str]) -> dict[str, str]:
    return sound(pairs, _label_faults(pairs))


def _label_faults(pairs: dict[str, str]) -> Iterator[Finding]:
    for key, value in pairs.items():
        if not is_qualified_name(key):
            yield Finding((key,), f"{shown(key)} is not a label key", "write name or domain/name")
        elif not is_label_value(value):
            yield Finding((key,), f"{shown(value)} is not a label value")


def is_label_value(text: str) -> bool:
    """At most 63 letters, digits, ``-``, ``_`` and ``.``, or nothing."""
    return not text or _QUALIFIED_PART.fullmatch(text) is not None


def grants_devices(variable: str, value: object) -> bool:
    """Whether the NVIDIA container runtime reads this as a request for GPUs, past the plugin."""
    return variable == "NVIDIA_VISIBLE_DEVICES" and value not in ("", "none", "void")


def _environment(variables: dict[str, str]) -> dict[str, str]:
    return sound(variables, _env_faults(variables))


def _env_faults(variables: dict[str, str]) -> Iterator[Finding]:
    for name, value in variables.items():
        if not _ENV_NAME.fullmatch(name):
            yield Finding((name,), f"{shown(name)} is not the name of an environment variable")
        fault = template_fault(value)
        if fault is not None:
            yield fault.beneath((name,))
        if grants_devices(name, value):
            message = f"{name} gives the server GPUs that it was not scheduled for"
            hint = "the device plugin sets it; to hide a node's GPUs write void"
            yield Finding((name,), message, hint)


Text = Annotated[str, AfterValidator(_said)]
Slug = Annotated[str, AfterValidator(_slug)]
"""What forms, the API and saved options call a choice: a DNS label without ``--``."""
ObjectName = Annotated[str, AfterValidator(_object_name)]
NameTemplate = Annotated[str, AfterValidator(_name_template)]
Template = Annotated[str, AfterValidator(_template)]
AbsolutePath = Annotated[str, AfterValidator(_absolute_path)]
MountPath = Annotated[str, AfterValidator(_mount_path)]
RelativePath = Annotated[str, AfterValidator(_relative_path)]
Image = Annotated[str, AfterValidator(_image)]
ResourceName = Annotated[str, AfterValidator(_resource)]
LabelPairs = Annotated[dict[str, str], AfterValidator(_label_pairs)]
Environment = Annotated[dict[str, str], AfterValidator(_environment)]
