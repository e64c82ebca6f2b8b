"""From results to notes, figures and a paper: texts, prompts and jobs. It starts nothing, reads no disk and sends nothing."""
