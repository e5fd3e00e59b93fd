"""How each coding tool is pointed at this gateway: one source for the console, the API and the documentation."""
