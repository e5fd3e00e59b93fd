"""Who may serve a turn, in which order: pure decisions over the snapshot."""
