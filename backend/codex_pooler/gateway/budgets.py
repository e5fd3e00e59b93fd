"""How long the backend may be silent, and when a silent stream is kept alive.  All in seconds."""

FIRST_BYTE = 120.0  # from sending a turn to the response head
FIRST_EVENT = 180.0  # from the head to the first byte of the body
GAP = 300.0  # between bytes of the body
AFTER_TERMINAL = 5.0  # from the terminal event to the end of the response
KEEPALIVE = 10.0  # of silence towards the client
DRAIN = 30.0  # reading on for the usage after the client left
