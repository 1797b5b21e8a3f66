"""upnp."""
