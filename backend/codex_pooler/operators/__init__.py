"""Human operators: sign-in, sessions, tokens, roles and scope."""
