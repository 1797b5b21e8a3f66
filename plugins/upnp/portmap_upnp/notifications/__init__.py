"""Notices that the gateway restarted or changed: SSDP NOTIFY, GENA events, uptime.

advertisements   receive SSDP NOTIFY
callback_server  receives the events
gena             GENA messages; pure
subscription     GENA subscription to the gateway's events
uptime           a restart seen by GetStatusInfo's uptime; pure
watch            the watch thread: confirms what is heard, alerts
"""
