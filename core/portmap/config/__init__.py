"""What shall run: flags, environment and file, resolved into instances. Sends nothing.

diff        what to start, stop, restart or adjust after a reload
file        TOML file -> instances, or every fault with its line
options     the options, one row each: flag, variable, key in the file, help
settings    SettingsLayer, Instance, resolve(): flags over environment over file
toml_table  read a TOML table key by key, with line numbers
"""
