"""What the command prints: lines for people, JSON, tables.

diagnosis   the doctor's output: lines, JSON, report
events      events -> lines or JSON, with the instance's name where there are several
json_and_tables  JSON lines and tables on stdout
open_ports  what `portmap open` and `portmap close` print; pure
port_runs   PortRunCollector: the events of a range as one; pure
ports       ports in words; pure
style       Style: colours, width and letters of a stream; one aligned line
"""
