"""`python -m portmap` is the command `portmap`."""

from portmap.cli import main

if __name__ == "__main__":
    main()
