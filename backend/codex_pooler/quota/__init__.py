"""What an account may still be used for: evidence becomes windows and blocks."""
