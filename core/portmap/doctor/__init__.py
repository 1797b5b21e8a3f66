"""`portmap doctor`: probes collect findings, rules give one verdict. Changes nothing, unless `--try` asks for it.

capture    --capture: record the wire as JSON lines
diagnose   the rules in order; diagnose()
diagnosis  Diagnosis and Outcome; values
examine    run the probes, return Findings
findings   Findings and their parts; values
redact     remove public addresses and names from a report
report     findings -> lines
probes/    Probes
rules/     Rules
"""
