"""What is kept: the journal, the study's git repository, and the catalog of ideas and templates."""
