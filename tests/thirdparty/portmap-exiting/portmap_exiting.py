"""It raises SystemExit, which ends a process that does not look out."""

import sys
from typing import Any, ClassVar

from portmap import Kind, hookimpl


class Backend:
    kind: ClassVar[Kind] = Kind.LOOP

    @classmethod
    def from_argument(cls, argument: str | None) -> "Backend":
        return cls()

    @hookimpl
    def external_ip(self) -> Any:
        sys.exit(0)

    @hookimpl
    def add_mapping(self) -> Any:
        sys.exit(0)

    @hookimpl
    def delete_mapping(self) -> None:
        sys.exit(0)


class Parser(Backend):
    """It does so when it is made."""

    @classmethod
    def from_argument(cls, argument: str | None) -> "Backend":
        sys.exit(0)
