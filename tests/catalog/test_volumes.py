"""Mistakes in `volumes`, and what their admin is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Refusal = Callable[..., None]

VOLUMES = [
    pytest.param(
        "Data: {mount_path: /d, empty_dir: {}}  # <-",
        "volumes.Data",
        "'Data' is not a volume's name",
        "perhaps 'data'",
        id="a volume's name is a DNS label",
    ),
    pytest.param(
        "x: {mount_path: /x}  # <-",
        "volumes.x",
        "the volume has no source",
        "write one of ephemeral",
        id="a volume without a source",
    ),
    pytest.param(
        "x:\n  mount_path: /x\n  empty_dir: {}\n  claim: {name: a}  # <-",
        "volumes.x.claim",
        "a volume has one source, and this one has empty_dir already",
        "make two volumes",
        id="a volume with two sources",
    ),
    pytest.param(
        "x: {mount_path: data, empty_dir: {}}  # <-",
        "volumes.x.mount_path",
        "the path 'data' is not absolute",
        "perhaps '/data'",
        id="a mount path is absolute",
    ),
    pytest.param(
        "x: {mount_path: /a/../b, empty_dir: {}}  # <-",
        "volumes.x.mount_path",
        "the path '/a/../b' contains '..'",
        "the path it leads to",
        id="a mount path does not climb",
    ),
    pytest.param(
        "x: {mount_path: '/a:b', empty_dir: {}}  # <-",
        "volumes.x.mount_path",
        "Kubernetes takes no ':'",
        None,
        id="a mount path has no colon",
    ),
    pytest.param(
        "x: {mount_path: /, empty_dir: {}}  # <-",
        "volumes.x.mount_path",
        "would hide the whole image",
        "mount it below",
        id="nothing is mounted over the root",
    ),
    pytest.param(
        "x: {empty_dir: {}}  # <-",
        "volumes.x.mount_path",
        "is required",
        None,
        id="only shared memory knows its mount path",
    ),
    pytest.param(
        "x: {mount_path: /x, sub_path: /y, empty_dir: {}}  # <-",
        "volumes.x.sub_path",
        "the path '/y' must be relative",
        "perhaps 'y'",
        id="a sub path is relative",
    ),
    pytest.param(
        "x: {mount_path: /x, sub_path: '{unescaped_username}', empty_dir: {}}  # <-",
        "volumes.x.sub_path",
        "lets a person named '../..' leave it",
        "use {username}",
        id="a raw user name in a sub path",
    ),
    pytest.param(
        "x: {mount_path: /x, host_path: {path: '/h/{unescaped_username}'}}  # <-",
        "volumes.x.host_path.path",
        "lets a person named '../..' leave it",
        "use {username}",
        id="a raw user name in a host path",
    ),
    pytest.param(
        "x: {mount_path: /x, nfs: {server: a, path: '/h/{unescaped_servername}'}}  # <-",
        "volumes.x.nfs.path",
        "lets a person named '../..' leave it",
        "use {servername}",
        id="a raw server name in an NFS path",
    ),
    pytest.param(
        "x: {mount_path: '/x/{user}', empty_dir: {}}  # <-",
        "volumes.x.mount_path",
        "KubeSpawner cannot expand the braces in '/x/{user}'",
        "double a brace",
        id="a name in braces that KubeSpawner does not know",
    ),
    pytest.param(
        "x: {mount_path: /x, claim: {name: 'home-{usernam}'}}  # <-",
        "volumes.x.claim.name",
        "KubeSpawner cannot expand the braces in 'home-{usernam}'",
        "did you mean {username}?",
        id="a near miss in braces",
    ),
    pytest.param(
        "x: {mount_path: /x, claim: {name: Home}}  # <-",
        "volumes.x.claim.name",
        "'Home' is not a Kubernetes name",
        None,
        id="a claim's name is a Kubernetes name",
    ),
    pytest.param(
        "x: {mount_path: /x, nfs: {server: '{', path: /a}}  # <-",
        "volumes.x.nfs.server",
        "the braces in '{' do not pair up",
        "{{ or }}",
        id="a brace that is never closed",
    ),
    pytest.param(
        "x:\n  mount_path: /x\n  nfs: {server: a}  # <-",
        "volumes.x.nfs.path",
        "is required",
        None,
        id="an NFS volume needs a path",
    ),
    pytest.param(
        "x: {shared_memory: {size: 64m}}  # <-",
        "volumes.x.shared_memory.size",
        "'64m' is a fraction of a byte",
        "did you mean '64Mi' (powers of 1024) or '64M' (of 1000)?",
        id="m is a thousandth, not a megabyte",
    ),
    pytest.param(
        "x: {mount_path: /x, ephemeral: {size: 0}}  # <-",
        "volumes.x.ephemeral.size",
        "'0' must be more than zero",
        None,
        id="an ephemeral volume has a size",
    ),
    pytest.param(
        "x: {mount_path: /x, ephemeral: {size: 1Gi, access_mode: RWO}}  # <-",
        "volumes.x.ephemeral.access_mode",
        "expected 'ReadWriteOnce', 'ReadWriteOncePod' or 'ReadWriteMany', found the text 'RWO'",
        None,
        id="an access mode is written out",
    ),
    pytest.param(
        "x: {mount_path: /x, host_path: {path: /a, type: directory}}  # <-",
        "volumes.x.host_path.type",
        "found the text 'directory'",
        "did you mean 'Directory'?",
        id="a type of host path in lower case",
    ),
    pytest.param(
        "x: {mount_path: /x, read_only: 'yes', empty_dir: {}}  # <-",
        "volumes.x.read_only",
        "expected true or false, found the text 'yes'",
        "without quotes",
        id="a boolean in quotes",
    ),
]


@pytest.mark.parametrize(("text", "field", "message", "hint"), VOLUMES)
def test_a_volume_is_refused(
    text: str,
    field: str,
    message: str,
    hint: str | None,
    refusal: Refusal,
) -> None:
    refusal("volumes", text, field, message, hint)
