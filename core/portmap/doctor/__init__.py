"""`portmap doctor`: probes collect findings, rules give one verdict. Changes nothing, unless `--try` asks for it.

capture    --capture: record the wire as JSON lines
diagnosis  the rules in order; diagnose()
examine    run the probes, return Findings
findings   Findings and their parts; values
redact     remove public addresses and names from a report
report     findings -> lines
verdict    Verdict and Outcome; values
probes/    Probes
rules/     Rules
"""
