"""The public OpenAI API in terms of the backend: requests in its words, its events in theirs."""
