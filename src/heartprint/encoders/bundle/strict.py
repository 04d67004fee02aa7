"""Types of what a folder's ``config.json`` may say: nothing unknown, nothing that is not finite, nothing endless."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, lt=2**53)]
Seed = Annotated[int, Field(ge=-(2**127), lt=2**128)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=1000)]
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class Strict(BaseModel):
    """Knows all its names, and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
