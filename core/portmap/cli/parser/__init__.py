"""The command line: signatures, options and help. Imports each command only when it runs.

app            the bare form, and main
bare_group     a command group whose bare form takes arguments
options        the options that commands share; completion
port_commands  signatures of run, ip, check, doctor, status, ls, open, close
tool_commands  signatures of config, service, backends, plugins, demo, router, echo
"""
