"""Rules: each reads the findings and may give the verdict. Pure.

address     rules about the external address
double_nat  which command opens a port through two NATs
gateway     rules about the gateway
port        rules about the port, at the gateway and on this host
vendors     where each vendor hides the UPnP switch
"""
