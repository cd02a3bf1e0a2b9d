"""Answers of our API for programs: an error is JSON with ``status``, ``message`` and a ``code``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from tornado import web

from gpuspawner.refusals import CODE_HEADER

_CODES = {
    400: "bad-request",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
}


class CodedAPIHandler(APIHandler):  # type: ignore[misc] # JupyterHub has no types
    """JupyterHub's handler of an API; no answer is kept, and each error has a stable code.

    Attributes:
        methods: what it answers, as the header ``Allow`` has it.
    """

    methods = "GET, OPTIONS"

    def set_default_headers(self) -> None:
        """JupyterHub's, and that no answer is kept."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """JupyterHub's, with a code."""
        error = kwargs["exc_info"][1] if kwargs.get("exc_info") else None
        message = ""
        if isinstance(error, web.HTTPError):
            message = (error.log_message or "") % error.args
        else:
            # It may be the database's; nothing was written here.
            self.db.rollback()
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", self.methods)
        self.answer(status_code, _CODES.get(status_code, "failed"), message or self._reason)

    def answer(self, status: int, code: str, message: str, **more: Any) -> None:
        """Answer that it cannot be had.

        Args:
            status: of HTTP.
            code: for programs, in the body and in a header.
            message: for people.
            more: other fields of the body.
        """
        self.set_status(status)
        self.set_header(CODE_HEADER, code)
        self.write({"status": status, "code": code, "message": message, **more})
