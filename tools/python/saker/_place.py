"""Where libsaker was when the package was built; "": nothing is known (the source tree)."""

LIBRARY = ""
