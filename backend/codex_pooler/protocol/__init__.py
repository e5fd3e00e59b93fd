"""The meaning of bytes, sans-I/O: nothing in this room awaits, dials or imports another room."""
