"""What the command prints: lines for people, JSON, tables.

diagnosis   the doctor's output: lines, JSON, report
events      events -> lines or JSON, with the instance's name where there are several
formats     JSON lines and tables on stdout
open_ports  what `portmap open` and `portmap close` print; pure
"""
