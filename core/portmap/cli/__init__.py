"""The command `portmap`: words in, lines out, an exit code. What happens, happens in the library.

What only one command needs is imported by that command: `portmap --version` and a Tab key pay for nothing else.

config_file   reads the configuration file for a command
exit_codes    exit codes; errors as one line on stderr
logs          -v, -vv
signals       SignalListener and StopSignals
state_folder  which state folder a command uses
terminal      standard streams, printable text
commands/     One module for each subcommand that asks once and prints
hold/         The command that holds ports open: instances, reload, the service manager, metrics, a child process
output/       What the command prints: lines for people, JSON, tables
parser/       The command line: signatures, options and help
"""

__all__ = ["main"]

INTERRUPTED = 130  # the exit code after Ctrl-C: 128 + SIGINT, as a shell tells it
GARBAGE_THRESHOLD = 10_000  # objects between two collections; with the usual 700 the imports cause 60, which take 3 ms


def main() -> None:
    """Be the process `portmap`, to its end.

    Ctrl-C ends it without a message until a command handles signals: before that nothing has to be put in order.
    Before that is arranged it would be a traceback; so nothing is imported before. The import of `signal` itself takes
    some milliseconds.
    """
    try:
        import gc  # noqa: PLC0415  # Ctrl-C during this import is heard below
        import signal  # noqa: PLC0415  # as above

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else our parent process wants it ignored
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    gc.set_threshold(GARBAGE_THRESHOLD)
    from portmap.cli import terminal  # noqa: PLC0415  # the lines above come first
    from portmap.cli.parser import app  # noqa: PLC0415  # the lines above come first

    terminal.prepare_streams()
    app.main()
