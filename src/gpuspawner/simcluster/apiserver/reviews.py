"""SelfSubjectAccessReview: what an account may do, asked by the account itself."""

from __future__ import annotations

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import RESOURCES, ResourceType
from gpuspawner.simcluster.apimachinery.status import bad_request
from gpuspawner.simcluster.apiserver.access import AccessRules
from gpuspawner.simcluster.apiserver.requestinfo import RequestInfo

PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def reviewed(review: object, access: AccessRules, user: str) -> Object:
    """The review with its answer.

    Raises:
        ApiError: 400 if it asks about no resource.
    """
    spec = review.get("spec") if isinstance(review, dict) else None
    asked = spec.get("resourceAttributes") if isinstance(spec, dict) else None
    if not isinstance(review, dict) or not isinstance(asked, dict):
        raise bad_request("a SelfSubjectAccessReview here needs spec.resourceAttributes")
    plural, group = str(asked.get("resource", "")), str(asked.get("group", ""))
    known = (one for one in RESOURCES if (one.plural, one.group) == (plural, group))
    request = RequestInfo(
        verb=str(asked.get("verb", "")),
        path="",
        query={},
        resource=next(known, None) or ResourceType(plural, plural, group),
        namespace=str(asked.get("namespace", "")),
        name=str(asked.get("name", "")),
        subresource=str(asked.get("subresource", "")),
    )
    return {**review, "status": {"allowed": access.may(user, request)}}
