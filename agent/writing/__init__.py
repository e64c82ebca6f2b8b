"""From results to notes, figures and a paper: texts out, nothing started, read or sent. `steps` do that."""
