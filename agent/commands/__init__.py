"""What each command does, a function a command: options in, exit code out. They and agent.cli are what prints."""
