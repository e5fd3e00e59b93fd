"""What every turn cost: its one final log row, usage and rollups."""
