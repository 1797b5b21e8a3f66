"""UPnP actions: SOAP, and the typed actions of the two services.

firewall_control  WANIPv6FirewallControl: typed actions
soap              SOAP request and reply; pure
soap_client       SoapClient: one action, bounded, with the pause that some routers need
upnp_errors       UPnP error codes -> portmap errors; pure
wan_connection    WANIPConnection / WANPPPConnection: typed actions
"""
