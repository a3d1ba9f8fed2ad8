"""A face through a clip: what was seen, its files, and what is done to it before it becomes keys. numpy only."""
