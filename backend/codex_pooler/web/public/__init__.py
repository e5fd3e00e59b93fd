"""What people without an account here may use: the page behind an invite's link."""
