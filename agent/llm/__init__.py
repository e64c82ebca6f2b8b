"""Everything that answers a prompt. The only package that may import litellm and aider."""
