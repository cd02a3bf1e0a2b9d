"""What every model of the catalog has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Frozen, and closed: a field that it does not know is a mistake, never ignored.

    The docstring below an attribute is its description in the exported JSON Schema.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )
