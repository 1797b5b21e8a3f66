"""The command `portmap`. Law: this folder reads words and prints lines; what happens, happens in the library.

What only one command needs is imported by that command: `portmap --version` and a Tab key pay for nothing else.
"""

__all__ = ["main"]


def main() -> None:
    """Be the process `portmap`, to its end.

    Ctrl-C just ends it, without a word, wherever nobody listens for signals: there nothing has to be put in order.
    Before that is arranged it would be a traceback; so nothing is imported before.
    """
    import signal  # noqa: PLC0415  # the law

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started us wants it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from portmap.cli import terminal  # noqa: PLC0415  # the line above comes first
    from portmap.cli.parser import app  # noqa: PLC0415  # the line above comes first

    terminal.prepare_streams()
    app.main()
