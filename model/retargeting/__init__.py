"""Retargeting a performance to a character: the table, its rows, and the matching of names. numpy only."""
