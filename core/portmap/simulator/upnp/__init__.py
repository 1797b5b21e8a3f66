"""UPnP IGD, server side: SSDP, descriptions, SOAP, events.

action_call       a call with its router, and readers for its arguments
description       the device description
event_sender      delivers events
firewall_control  the actions of WANIPv6FirewallControl
gena              event subscriptions
igd               the actions of WANIPConnection
page_quirks       how quirks change SSDP answers and pages
port_listing      how mappings are written in a listing
scpd              the service descriptions
site              HTTP request -> page or SOAP response
soap              SOAP, server side
ssdp              SSDP, server side
"""
