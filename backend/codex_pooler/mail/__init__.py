"""Mail to people: what the letters say, and how they reach the mail server that an owner has set."""
