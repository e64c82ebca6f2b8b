"""Everything that starts a job and says how it ended."""
