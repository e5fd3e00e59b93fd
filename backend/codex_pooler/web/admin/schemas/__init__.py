"""The wire shapes of the admin API: what is accepted, what is answered."""
