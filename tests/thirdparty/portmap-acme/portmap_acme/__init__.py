"""The backend `acme`: `backend` has the hooks, `protocol` the talking, `router` a router to try it with."""

from portmap_acme.backend import Acme

__all__ = ["Acme"]
