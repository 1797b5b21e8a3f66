"""Its import fails, as if a library of its own were missing."""

raise ImportError("libfrobnicate.so.3: cannot open shared object file")
