"""One module for each subcommand that asks once and prints.

config      `portmap config check`
demo        `portmap demo`
doctor      `portmap doctor`
ip          `portmap ip`
ls          `portmap ls`
open_close  `portmap open`, `portmap close`
plugins     `portmap plugins`, `portmap backends`
router      `portmap router`
service     `portmap service print`
status      `portmap status`
check       `portmap check`
echo        `portmap echo`
"""
