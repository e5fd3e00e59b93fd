"""Pool API keys: their material and their lookup."""
