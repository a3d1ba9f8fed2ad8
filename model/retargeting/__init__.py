"""From a performance to another character: the retarget table, its rows, and the names it is filled by. numpy only."""
