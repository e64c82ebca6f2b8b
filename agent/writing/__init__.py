"""From results to notes, figures and a paper: texts, prompts and jobs. Nothing is started, read or sent here."""
