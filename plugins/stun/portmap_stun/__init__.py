"""The STUN backend of portmap: learns the external address, opens nothing."""
