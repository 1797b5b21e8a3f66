"""Publishers for everybody: a command, a file, an HTTP hook."""
