"""Notices that the gateway restarted or changed: SSDP NOTIFY, GENA events.

advertisements   receive SSDP NOTIFY
callback_server  receives the events
firewall_watch   the watch thread of the IPv6 firewall
gena             GENA messages; pure
subscription     GENA subscription to the gateway's events
watch            the watch thread: confirms what is heard, alerts
"""
