"""Retargeting a performance to a character: the table, its rows, and the names that fill it. numpy only."""
