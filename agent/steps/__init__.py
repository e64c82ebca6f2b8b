"""One step per action: call adapters, yield events."""
