"""Plain data and decisions: no clock, disk, network or randomness."""
