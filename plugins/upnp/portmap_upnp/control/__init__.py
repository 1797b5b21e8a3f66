"""UPnP actions: SOAP, and the typed actions of the two services.

external_address  the external address, or why there is none
firewall_control  WANIPv6FirewallControl: typed actions
miniupnpc_client  the WANIPConnection actions through miniupnpc
soap              SOAP request and reply; pure
soap_client       SoapClient: one action, bounded, with the pause that some routers need
upnp_errors       UPnP error codes -> portmap errors; pure
wan_connection    WANIPConnection / WANPPPConnection: typed actions
wan_state         WanState: connection and address of a service; which service is better
"""
