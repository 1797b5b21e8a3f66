"""One module for each subcommand that asks once and prints.

check         `portmap check`
close         `portmap close`
config        `portmap config check`
demo          `portmap demo`
doctor        `portmap doctor`
echo          `portmap echo`
ip            `portmap ip`
gateway_table  asks for the gateway's own table, for `ls` and `close --force`
ls            `portmap ls`
open          `portmap open`
plugins       `portmap plugins`, `portmap backends`
remembered    the mappings that portmap remembers, for `ls` and `close --force`
port_results  prints what became of the ports of `open` and `close`
router        `portmap router`
service       `portmap service print`
status        `portmap status`
"""
