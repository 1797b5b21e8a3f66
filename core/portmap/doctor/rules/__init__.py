"""Rules: each reads the findings and may give the verdict. Pure.

address  rules about the external address
gateway  rules about the gateway
port     rules about the port, at the gateway and on this host
way_through  which command opens a port through two NATs
vendors  where each vendor hides the UPnP switch
"""
