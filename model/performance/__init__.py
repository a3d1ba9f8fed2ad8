"""A face performance over a clip: its data, its files, and its processing before keying. numpy only."""
