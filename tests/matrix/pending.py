"""Cells that are promised and not yet kept: they are left out of the run until the backend is mended. Data only."""

PENDING: frozenset[str] = frozenset()
