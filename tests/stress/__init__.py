"""What hosts do at random moments, many times: forks, signals, small stacks. See ``__main__.py``."""
