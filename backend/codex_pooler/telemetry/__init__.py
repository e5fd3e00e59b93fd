"""What the process says about itself: metrics, logs, health.  Never a prompt, output, token or cookie."""
