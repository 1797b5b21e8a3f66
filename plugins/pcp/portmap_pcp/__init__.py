"""The PCP backend of portmap (RFC 6887)."""
