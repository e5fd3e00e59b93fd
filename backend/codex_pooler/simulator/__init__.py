"""A faithful stand-in for the ChatGPT backend and its sign-in server, for the demo and the tests."""
